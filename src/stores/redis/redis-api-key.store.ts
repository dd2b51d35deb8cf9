import type { ApiKeyRecord, StoredApiKey } from '../../api-key/api-key-record.js';
import {
  ManagedApiKeyStore,
  type DigestChange,
  type KeyPage,
  type KeyUse,
  type ListKeysQuery,
} from '../../api-key/api-key.store.js';
import { randomHex } from '../../api-key/key-digest.js';
import type { TenantId } from '../../principal/tenant-id.js';
import { commandsOf, type RedisClient, type SendCommand } from './redis-client.js';
import { placeOf, placeOfTime, RedisKeyNames } from './redis-key-names.js';
import { absentFields, decodeFields, encodeFields, MalformedFieldError } from './redis-record.js';
import { fieldsOf, listOf, textOf } from './redis-reply.js';
import { RedisScript } from './redis-script.js';
import {
  FIND_BY_ID,
  INSERT,
  LIST,
  PRUNE,
  RECORD_USES,
  REPLACE_DIGESTS,
  REVOKE,
  ROTATE,
  UPDATE,
} from './redis-scripts.js';

export interface RedisApiKeyStoreOptions {
  /**
   * What the names of all keys in Redis begin with: up to 100 visible ASCII characters with a hash tag, a text in braces. One
   * prefix is one store.
   * @default '{keyfence}:'
   */
  readonly keyPrefix?: string;
}

const DEFAULT_PREFIX = '{keyfence}:';

const SCRIPTS = {
  insert: new RedisScript(INSERT),
  findById: new RedisScript(FIND_BY_ID),
  list: new RedisScript(LIST),
  revoke: new RedisScript(REVOKE),
  update: new RedisScript(UPDATE),
  rotate: new RedisScript(ROTATE),
  recordUses: new RedisScript(RECORD_USES),
  replaceDigests: new RedisScript(REPLACE_DIGESTS),
  prune: new RedisScript(PRUNE),
};

/** Redis serves nobody else while a script runs: what may take longer is done in several. */
const MOST_LOOKS = 1_000;
const MOST_PRUNED = 500;

const CHANGED_BY_UPDATE = [
  'name',
  'scopes',
  'paths',
  'allowedIps',
  'notBefore',
  'expiresAt',
  'metadata',
  'version',
] as const;
const CHANGED_BY_ROTATE = ['rotatedTo', 'graceEndsAt', 'version'] as const;

/** What stands for a record that cannot be read: verification refuses it, whatever it was. */
const UNSOUND: StoredApiKey = {
  id: '',
  locator: '',
  tenantId: '',
  digest: '',
  digestVersion: '',
  scopes: [],
  environment: '',
};

/**
 * Keeps the records of keys in Redis 6 or later, or in a Redis Cluster, through a client that the team has: `ioredis` 5 or 6
 * (`Redis` or `Cluster`), or `redis` 4, 5 or 6 (`createClient` or `createCluster`, connected by the team). The store never
 * closes it.
 *
 * A lookup is one command, and every change is one script, so that it happens whole or not at all and no two of them mix.
 * Listing and pruning take one script for every 1,000 and 500 keys that they look at. No record is given a time to live, and
 * nothing scans.
 *
 * What it needs of Redis, and cannot check:
 * - `appendonly yes`. With `appendfsync everysec` a crash loses the changes of the last second, with `always` none.
 * - `maxmemory-policy noeviction`. Any other can drop a key, which is refused from then on, or the index entry by which it
 *   would have been revoked, which leaves it alive. With it, a Redis whose memory is full writes nothing at all: no revocation
 *   either.
 * - Replication is asynchronous: a failover can lose changes that were acknowledged, **a revocation too**. After a failover,
 *   revoke again what was revoked in its last seconds.
 * - Reads go to the primary with `redis`; with `ioredis` keep `scaleReads: 'master'`, its default, or a replica that lags
 *   honours a revoked key.
 *
 * All keys share the hash tag of `keyPrefix`, so a cluster keeps them in one slot, on one node: they do not spread over the
 * cluster. Redis services that demand every key of a script to be declared (Dragonfly by default) cannot run it.
 *
 * While Redis is away, client libraries queue commands. A lookup is denied after 3 seconds all the same; a change waits for
 * as long as the client does, and may still be made after its promise was rejected. Make the client give up early:
 * `maxRetriesPerRequest: 1` and `commandTimeout` of `ioredis`, `disableOfflineQueue: true` of `redis`, which still waits for a
 * Redis that hangs. While 10,000 commands wait, further ones are rejected at once.
 *
 * @example
 * KeyfenceModule.forRoot({ store: new RedisApiKeyStore(new Redis(process.env.REDIS_URL)) })
 */
export class RedisApiKeyStore extends ManagedApiKeyStore {
  readonly #names: RedisKeyNames;
  readonly #send: SendCommand;

  /** @throws KeyfenceConfigurationError for what is no client, and for a prefix without a hash tag */
  constructor(client: RedisClient, options: RedisApiKeyStoreOptions = {}) {
    super();
    this.#names = new RedisKeyNames(options.keyPrefix ?? DEFAULT_PREFIX);
    this.#send = commandsOf(client, 'RedisApiKeyStore');
  }

  /** A record that cannot be read is given as one that verification refuses. */
  async findByLocator(locator: string): Promise<StoredApiKey | null> {
    const key = this.#names.record(locator);
    const fields = fieldsOf(await this.#send(['HGETALL', key], key));
    if (fields === undefined) return null;
    try {
      return decodeFields(fields);
    } catch (error) {
      if (error instanceof MalformedFieldError) return UNSOUND;
      throw error;
    }
  }

  async insert(record: ApiKeyRecord): Promise<boolean> {
    return isYes(await this.#run('insert', [newWrite(), ...recordArguments(record)], record));
  }

  /** @throws an error that names the field if the record cannot be read; `list` and `revoke` do so too */
  async findById(tenantId: TenantId, id: string): Promise<ApiKeyRecord | null> {
    return recordOf(await this.#run('findById', [id, tenantId]));
  }

  async list(tenantId: TenantId, query: ListKeysQuery): Promise<KeyPage> {
    const { limit, cursor, includeRevoked, createdBefore, unusedSince } = query;
    const to = createdBefore === undefined ? '+' : `(${placeOfTime(createdBefore)}`;
    const conditions = [includeRevoked ? '1' : '0', unusedSince === undefined ? '' : String(unusedSince.getTime())];
    const records: ApiKeyRecord[] = [];
    // A cursor is a place; any other text sorts somewhere too.
    let place = cursor ?? '';
    do {
      const from = place === '' ? '-' : `(${place}`;
      // One more than the page holds says whether there is a next page.
      const wanted = limit + 1 - records.length;
      const reply = await this.#run('list', [tenantId, from, to, ...conditions, String(wanted), String(MOST_LOOKS)]);
      const [last, found] = listOf(reply);
      for (const fields of listOf(found)) records.push(requireRecord(fields));
      place = textOf(last);
    } while (place !== '' && records.length <= limit);
    const items = records.slice(0, limit);
    const end = items.at(-1);
    return { items, next: records.length > limit && end !== undefined ? placeOf(end) : undefined };
  }

  async revoke(tenantId: TenantId, id: string, at: Date): Promise<ApiKeyRecord | null> {
    return recordOf(await this.#run('revoke', [id, tenantId, timeOf(at)]));
  }

  async update(record: ApiKeyRecord): Promise<boolean> {
    return isYes(await this.#run('update', changeArguments(record, CHANGED_BY_UPDATE), record));
  }

  async rotate(old: ApiKeyRecord, successor: ApiKeyRecord): Promise<boolean> {
    const args = [...changeArguments(old, CHANGED_BY_ROTATE), ...recordArguments(successor)];
    return isYes(await this.#run('rotate', args, old, successor));
  }

  async recordUses(uses: readonly KeyUse[]): Promise<void> {
    if (uses.length === 0) return;
    await this.#run(
      'recordUses',
      uses.flatMap(({ id, at }) => [id, timeOf(at)]),
    );
  }

  async replaceDigests(changes: readonly DigestChange[]): Promise<void> {
    if (changes.length === 0) return;
    await this.#run(
      'replaceDigests',
      changes.flatMap(({ id, from, digest, digestVersion }) => [id, from, digest, digestVersion]),
    );
  }

  async prune(deadBefore: Date, limit: number): Promise<number> {
    let removed = 0;
    while (removed < limit) {
      const most = Math.min(MOST_PRUNED, limit - removed);
      const [looked, gone] = listOf(await this.#run('prune', [timeOf(deadBefore), String(most)])).map(Number);
      removed += gone ?? 0;
      if ((looked ?? 0) < most) break;
    }
    return removed;
  }

  /** While a cluster moves the slot, a script whose keys are not all at hand must not begin: it is told what is known. */
  #run(script: keyof typeof SCRIPTS, args: readonly string[], ...records: readonly ApiKeyRecord[]): Promise<unknown> {
    const keys = new Set(records.flatMap((record) => this.#names.allOf(record)));
    return SCRIPTS[script].run(this.#send, [this.#names.ends, ...keys], args);
  }
}

/** A name for one write, by which the script knows it again if the client library sends it twice. */
function newWrite(): string {
  return randomHex(8);
}

function recordArguments(record: ApiKeyRecord): string[] {
  const { locator, id, tenantId } = record;
  return [locator, id, tenantId, placeOf(record), ...listArguments(encodeFields(record))];
}

function changeArguments(record: ApiKeyRecord, fields: readonly (keyof ApiKeyRecord)[]): string[] {
  const { id, tenantId, version } = record;
  const set = listArguments(encodeFields(record, fields));
  const removed = listArguments(absentFields(record, fields));
  return [newWrite(), id, tenantId, String(version - 1), ...set, ...removed];
}

function listArguments(items: readonly string[]): string[] {
  return [String(items.length), ...items];
}

/** @throws RangeError for a Date that is none */
function timeOf(date: Date): string {
  if (Number.isNaN(date.getTime())) throw new RangeError('A date that is none cannot be stored.');
  return String(date.getTime());
}

function isYes(reply: unknown): boolean {
  return textOf(reply) === '1';
}

function recordOf(reply: unknown): ApiKeyRecord | null {
  const fields = fieldsOf(reply);
  return fields === undefined ? null : decodeFields(fields);
}

function requireRecord(reply: unknown): ApiKeyRecord {
  const record = recordOf(reply);
  if (record === null) throw new MalformedFieldError('id');
  return record;
}
