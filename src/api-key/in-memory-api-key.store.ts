import { Logger } from '@nestjs/common';
import { KeyfenceConfigurationError } from '../errors/configuration.error.js';
import { isTenantId, TENANT_ID_RULE, type TenantId } from '../principal/tenant-id.js';
import { ANY_ENVIRONMENT, FOREIGN_KEY_LENGTH, readForeignKey } from './api-key-format.js';
import { deepFreeze, type ApiKeyRecord } from './api-key-record.js';
import {
  ManagedApiKeyStore,
  type DigestChange,
  type KeyPage,
  type KeyUse,
  type ListKeysQuery,
} from './api-key.store.js';
import { KeyDigester } from './key-digest.js';
import { parseNewKey, type NewApiKey } from './new-api-key.js';

/** What a key that a team already has may do: as for a new key, and whose it is. */
export interface ExistingKey extends Omit<NewApiKey, 'name'> {
  readonly tenantId: string;
  /** @default its position in the list */
  readonly name?: string;
}

/** The store is made before the options are read; a digest with a pepper takes this one's place at the first use. */
const UNPEPPERED = new KeyDigester();
/** Below this length a random key of 62 characters has less than 128 bits. */
const ADVISED_KEY_LENGTH = 22;

/**
 * Keeps records in this process: for tests, for a first start, and for keys that come from configuration. It keeps and
 * gives copies, so that nobody changes a record behind its back.
 */
export class InMemoryApiKeyStore extends ManagedApiKeyStore {
  override readonly volatile = true;
  override readonly foreignKeys: boolean;
  readonly #byLocator = new Map<string, ApiKeyRecord>();
  /** In the order of their making. */
  readonly #byId = new Map<string, ApiKeyRecord>();

  /** @param foreignKeys whether keys of other formats are looked up; {@link fromKeys} sets it */
  constructor(foreignKeys = false) {
    super();
    this.foreignKeys = foreignKeys;
  }

  /**
   * A store of keys that a team already has, of any format, given as text. Only digests are kept.
   * @throws KeyfenceConfigurationError for an empty or short key (16 characters at least), a bad tenant id or scope
   * @example
   * InMemoryApiKeyStore.fromKeys({ [config.acmeKey]: { tenantId: 'acme', scopes: ['files:read'] } })
   */
  static fromKeys(keys: Readonly<Record<string, ExistingKey>>): InMemoryApiKeyStore {
    const store = new InMemoryApiKeyStore(true);
    for (const [index, [text, key]] of Object.entries(keys).entries()) {
      if (store.#add(recordOf(text, key, index + 1))) continue;
      throw new KeyfenceConfigurationError(
        `InMemoryApiKeyStore.fromKeys: key number ${index + 1}`,
        'has the id of another one in the list',
        'A key of Keyfence has its id before the second "_": give each key once.',
      );
    }
    return store;
  }

  findByLocator(locator: string): Promise<ApiKeyRecord | null> {
    return Promise.resolve(copyOf(this.#byLocator.get(locator)));
  }

  async insert(record: ApiKeyRecord): Promise<boolean> {
    await Promise.resolve();
    return this.#add(record);
  }

  findById(tenantId: TenantId, id: string): Promise<ApiKeyRecord | null> {
    return Promise.resolve(copyOf(this.#ofTenant(tenantId, id)));
  }

  list(tenantId: TenantId, query: ListKeysQuery): Promise<KeyPage> {
    const rest = [...this.#byId.values()]
      .filter((record) => record.tenantId === tenantId && isListed(record, query))
      .sort((left, right) => (placeOf(left) < placeOf(right) ? -1 : 1));
    const items = rest.slice(0, query.limit);
    const last = items.at(-1);
    return Promise.resolve({
      items: items.map((record) => copyOf(record)),
      next: last !== undefined && rest.length > items.length ? placeOf(last) : undefined,
    });
  }

  revoke(tenantId: TenantId, id: string, at: Date): Promise<ApiKeyRecord | null> {
    const record = this.#ofTenant(tenantId, id);
    if (record !== undefined && record.revokedAt === undefined) {
      this.#put({ ...record, revokedAt: at, version: record.version + 1 });
    }
    return this.findById(tenantId, id);
  }

  async update(record: ApiKeyRecord): Promise<boolean> {
    await Promise.resolve();
    const stored = this.#unchanged(record);
    if (stored === undefined) return false;
    const { name, scopes, paths, allowedIps, notBefore, expiresAt, metadata, version } = record;
    this.#put({ ...stored, name, scopes, paths, allowedIps, notBefore, expiresAt, metadata, version });
    return true;
  }

  async rotate(old: ApiKeyRecord, successor: ApiKeyRecord): Promise<boolean> {
    await Promise.resolve();
    const stored = this.#unchanged(old);
    if (stored === undefined || !this.#add(successor)) return false;
    this.#put({ ...stored, rotatedTo: old.rotatedTo, graceEndsAt: old.graceEndsAt, version: old.version });
    return true;
  }

  async recordUses(uses: readonly KeyUse[]): Promise<void> {
    await Promise.resolve();
    for (const { id, at } of uses) {
      const stored = this.#byId.get(id);
      if (stored !== undefined && (stored.lastUsedAt ?? 0) < at) this.#put({ ...stored, lastUsedAt: at });
    }
  }

  async replaceDigests(changes: readonly DigestChange[]): Promise<void> {
    await Promise.resolve();
    for (const { id, from, digest, digestVersion } of changes) {
      const stored = this.#byId.get(id);
      if (stored?.digest === from) this.#put({ ...stored, digest, digestVersion });
    }
  }

  async prune(deadBefore: Date, limit: number): Promise<number> {
    await Promise.resolve();
    const dead = [...this.#byId.values()]
      .filter(({ revokedAt, expiresAt, graceEndsAt }) =>
        [revokedAt, expiresAt, graceEndsAt].some((end) => end !== undefined && end < deadBefore),
      )
      .slice(0, limit);
    for (const { id, locator } of dead) {
      this.#byId.delete(id);
      this.#byLocator.delete(locator);
    }
    return dead.length;
  }

  #ofTenant(tenantId: TenantId, id: string): ApiKeyRecord | undefined {
    const record = this.#byId.get(id);
    return record?.tenantId === tenantId ? record : undefined;
  }

  /** What is stored, if a change of this record may be written onto it. */
  #unchanged({ tenantId, id, version }: ApiKeyRecord): ApiKeyRecord | undefined {
    const stored = this.#ofTenant(tenantId, id);
    const open = stored?.version === version - 1 && stored.revokedAt === undefined && stored.rotatedTo === undefined;
    return open ? stored : undefined;
  }

  #add(record: ApiKeyRecord): boolean {
    if (this.#byId.has(record.id) || this.#byLocator.has(record.locator)) return false;
    this.#put(record);
    return true;
  }

  #put(record: ApiKeyRecord): void {
    const copy = deepFreeze(structuredClone(record));
    this.#byId.set(copy.id, copy);
    this.#byLocator.set(copy.locator, copy);
  }
}

function recordOf(text: string, key: ExistingKey, position: number): ApiKeyRecord {
  const where = `InMemoryApiKeyStore.fromKeys: key number ${position}`;
  const parsed = readForeignKey(text);
  // The key itself is never part of a message.
  if (parsed === undefined || !/^[\u0021-\u002b\u002d-\u007e]+$/.test(text)) {
    throw new KeyfenceConfigurationError(
      where,
      `is empty, unset or not ${FOREIGN_KEY_LENGTH.min} to ${FOREIGN_KEY_LENGTH.max} visible ASCII characters without a comma`,
      'Is the environment variable that holds it set?',
    );
  }
  if (text.length < ADVISED_KEY_LENGTH) {
    new Logger('Keyfence').warn(
      `${where} has under ${ADVISED_KEY_LENGTH} characters, so it may be guessed. Replace it.`,
    );
  }
  const { tenantId, name = `configured key ${position}`, ...limits } = key;
  if (!isTenantId(tenantId)) {
    throw new KeyfenceConfigurationError(`${where}: tenantId`, 'is not valid', `${TENANT_ID_RULE}.`);
  }
  // Not made of the key's text, from which a short key could be guessed.
  const id = `configured-${position}`;
  return {
    ...parseNewKey(where, { ...limits, name }),
    id,
    locator: parsed.locator,
    tenantId,
    digest: UNPEPPERED.digest(text),
    digestVersion: UNPEPPERED.version,
    environment: ANY_ENVIRONMENT,
    createdAt: new Date(0),
    lineageId: id,
    version: 1,
  };
}

/** Lists and metadata are frozen and can be shared; a Date cannot be frozen. */
function copyOf(record: ApiKeyRecord): ApiKeyRecord;
function copyOf(record: ApiKeyRecord | undefined): ApiKeyRecord | null;
function copyOf(record: ApiKeyRecord | undefined): ApiKeyRecord | null {
  if (record === undefined) return null;
  const { createdAt, notBefore, expiresAt, revokedAt, graceEndsAt, lastUsedAt } = record;
  return {
    ...record,
    createdAt: new Date(createdAt),
    notBefore: notBefore && new Date(notBefore),
    expiresAt: expiresAt && new Date(expiresAt),
    revokedAt: revokedAt && new Date(revokedAt),
    graceEndsAt: graceEndsAt && new Date(graceEndsAt),
    lastUsedAt: lastUsedAt && new Date(lastUsedAt),
  };
}

/** Where a key stands in a list: by the time of its making, then by its id. It marks the place when the key is gone too. */
function placeOf({ createdAt, id }: ApiKeyRecord): string {
  return `${createdAt.getTime().toString().padStart(15, '0')} ${id}`;
}

function isListed(record: ApiKeyRecord, query: ListKeysQuery): boolean {
  const { revokedAt, createdAt, lastUsedAt } = record;
  const { cursor, includeRevoked, createdBefore, unusedSince } = query;
  return (
    (cursor === undefined || placeOf(record) > cursor) &&
    (includeRevoked || revokedAt === undefined) &&
    (createdBefore === undefined || createdAt < createdBefore) &&
    (unusedSince === undefined || (lastUsedAt ?? createdAt) < unusedSince)
  );
}
