import { GrantExceededException } from '../errors/authorization.exceptions.js';
import { KeyfenceConfigurationError } from '../errors/configuration.error.js';
import { KeyConflictException, KeyNotFoundException, KeyStoreUnavailableException } from '../errors/key.exceptions.js';
import type { KeyLifecycleEvent } from '../events/keyfence-event.js';
import type { KeyfenceEvents } from '../events/keyfence-events.service.js';
import type { Principal } from '../principal/principal.js';
import type { TenantId } from '../principal/tenant-id.js';
import type { Clock } from '../time/clock.js';
import { DURATION_RULE, parseDuration, type Duration } from '../time/duration.js';
import { ANY_ENVIRONMENT, generateKey } from './api-key-format.js';
import type { ApiKeyOptions } from './api-key-options.js';
import type { ApiKeyRecord } from './api-key-record.js';
import { ApiKeySecret } from './api-key-secret.js';
import type { KeyPage, ManagedApiKeyStore } from './api-key.store.js';
import { askStore } from './ask-store.js';
import { randomHex } from './key-digest.js';
import { requireWithinGrant, withinGrant } from './key-grant.js';
import type { KeyInvalidation } from './key-invalidation.service.js';
import { parseChanges, parseNewKey, type ApiKeyChanges, type NewApiKey } from './new-api-key.js';

/** A new key: its record, and its text, which is stored nowhere and cannot be had again. */
export interface IssuedApiKey {
  readonly record: ApiKeyRecord;
  readonly secret: ApiKeySecret;
}

export interface ListKeysOptions {
  /** How many to return, from 1 to 200. @default 50 */
  readonly limit?: number;
  /** The `next` of the page before. */
  readonly cursor?: string;
  /** @default false */
  readonly includeRevoked?: boolean;
  /** Only keys made before this time: those that are due for rotation. */
  readonly createdBefore?: Date;
  /** Only keys that nobody has used since this time, and that were there before it. */
  readonly unusedSince?: Date;
}

export interface RotateOptions {
  /** For how long the old key still works; never beyond its own expiry. @default '24h' */
  readonly overlap?: Duration;
  /** The old key stops working at once: for a key that leaked. @default false */
  readonly immediate?: boolean;
}

/** What {@link TenantApiKeys} works with. */
export interface KeyManagement {
  readonly store: ManagedApiKeyStore;
  readonly options: ApiKeyOptions;
  readonly clock: Clock;
  readonly invalidation: KeyInvalidation;
  readonly events: KeyfenceEvents;
}

/** What a new record has whatever the key may do. */
type MadeRecord = Pick<
  ApiKeyRecord,
  'id' | 'locator' | 'tenantId' | 'digest' | 'digestVersion' | 'environment' | 'createdAt' | 'version'
>;

const ID_BYTES = 12;
/** Those of other stores too: visible ASCII. */
const ID = /^[\u0021-\u007e]{1,128}$/;
const DEFAULT_LIMIT = 50;
const MAX_LIMIT = 200;
const DEFAULT_OVERLAP = '24h';
/** A key that is to end at once ended so long ago, so that no process whose clock is slow takes it for alive. */
const IMMEDIATE_MARGIN_MS = 86_400_000;
/** An id or a locator that is taken is drawn again. That a second one is taken too does not happen by chance. */
const ATTEMPTS = 3;

/** The keys of one tenant. Another tenant's key id is the same as none. */
export class TenantApiKeys {
  readonly #grantor: Principal | undefined;
  readonly #with: KeyManagement;

  /** @internal Use `ApiKeyService.forTenant`. */
  constructor(
    readonly tenantId: TenantId,
    grantor: Principal | undefined,
    management: KeyManagement,
  ) {
    this.#grantor = grantor;
    this.#with = management;
  }

  /**
   * Makes a key. Its text is in the answer and nowhere else.
   * @throws KeyfenceConfigurationError for a bad name, scope, date, address or path, and for an in-memory store in production
   * @throws GrantExceededException for more than the grantor holds
   */
  async issue(key: NewApiKey): Promise<IssuedApiKey> {
    this.#requireLastingStore();
    const wanted = this.#granted((grantor) => withinGrant(parseNewKey('issue', key), grantor));
    if (wanted.expiresAt !== undefined && wanted.expiresAt.getTime() <= this.#with.clock.now()) {
      throw new KeyfenceConfigurationError('issue({ expiresAt })', 'is not in the future', 'Give a later Date.');
    }
    const issued = await this.#insert((made) => ({ ...made, ...wanted, lineageId: made.id }));
    this.#emit('key_issued', issued.record);
    return issued;
  }

  /**
   * Replaces a key by a new one with the same name, scopes, limits and expiry. The old one works on until its `graceEndsAt`.
   * Of several that rotate one key at the same time exactly one succeeds. Whoever loses the answer rotates the new key.
   * @throws KeyNotFoundException
   * @throws KeyConflictException for a key that was revoked or rotated, has expired, or is being changed
   * @throws GrantExceededException for a key that holds more than the grantor
   */
  async rotate(id: string, options: RotateOptions = {}): Promise<IssuedApiKey> {
    this.#requireLastingStore();
    const overlap = overlapOf(options);
    const { store, clock, invalidation } = this.#with;
    const old = this.#alive(await this.#read(id));
    this.#requireGranted(old);
    const { name, scopes, paths, allowedIps, notBefore, expiresAt, metadata, lineageId } = old;
    const ends = clock.now() + overlap;
    const graceEndsAt = new Date(expiresAt === undefined ? ends : Math.min(ends, expiresAt.getTime()));
    const { record, secret } = this.#make(old.environment);
    const successor = { ...record, name, scopes, paths, allowedIps, notBefore, expiresAt, metadata, lineageId };
    const replaced = { ...old, rotatedTo: successor.id, graceEndsAt, version: old.version + 1 };
    if (!(await askStore(() => store.rotate(replaced, successor)))) throw new KeyConflictException();
    await invalidation.invalidate([old.locator, successor.locator]);
    this.#emit('key_rotated', old, successor.id);
    return { record: withoutDigest(successor), secret };
  }

  /**
   * Changes what a key may do, and until when. What is left out stays; `null` takes a limit away.
   * @throws KeyNotFoundException
   * @throws KeyConflictException for a key that was revoked or rotated, or was changed meanwhile
   * @throws KeyfenceConfigurationError for a field that cannot be changed, or a bad value
   * @throws GrantExceededException for a key that holds more than the grantor, before the change or after it
   */
  async update(id: string, changes: ApiKeyChanges): Promise<ApiKeyRecord> {
    const { store, invalidation } = this.#with;
    const old = await this.#read(id);
    if (old.revokedAt !== undefined || old.rotatedTo !== undefined) throw new KeyConflictException();
    this.#requireGranted(old);
    const wanted = this.#granted((grantor) => withinGrant(parseChanges('update', old, changes), grantor));
    const record = { ...old, ...wanted, version: old.version + 1 };
    if (!(await askStore(() => store.update(record)))) throw new KeyConflictException();
    await invalidation.invalidate([record.locator]);
    this.#emit('key_updated', record);
    return withoutDigest(record);
  }

  /**
   * Ends a key, for good: it cannot be undone, and doing it again changes nothing. When the promise resolves, this process
   * refuses the key; see the option `cache` for the others.
   * @throws KeyNotFoundException
   * @throws GrantExceededException for a key that holds more than the grantor
   */
  async revoke(id: string): Promise<ApiKeyRecord> {
    const { store, clock, invalidation } = this.#with;
    requireId(id);
    if (this.#grantor !== undefined) this.#requireGranted(await this.#read(id));
    const at = new Date(clock.now());
    const record = await askStore(() => store.revoke(this.tenantId, id, at));
    if (record === null) throw new KeyNotFoundException();
    // Also the second time: that the first one's message went out is not known here.
    await invalidation.invalidate([record.locator]);
    if (record.revokedAt?.getTime() === at.getTime()) this.#emit('key_revoked', record);
    return withoutDigest(record);
  }

  /** One key. @throws KeyNotFoundException */
  async get(id: string): Promise<ApiKeyRecord> {
    return withoutDigest(await this.#read(id));
  }

  /** The tenant's keys, oldest first, a page at a time. */
  async list(options: ListKeysOptions = {}): Promise<KeyPage> {
    const { limit = DEFAULT_LIMIT, cursor, includeRevoked = false, createdBefore, unusedSince } = options;
    if (!Number.isInteger(limit) || limit < 1 || limit > MAX_LIMIT) {
      throw new KeyfenceConfigurationError(
        'list({ limit })',
        `is ${limit}`,
        `Give a whole number from 1 to ${MAX_LIMIT}.`,
      );
    }
    const query = { limit, cursor, includeRevoked, createdBefore, unusedSince };
    const { items, next } = await askStore(() => this.#with.store.list(this.tenantId, query));
    return { items: items.map(withoutDigest), next };
  }

  #requireGranted(record: ApiKeyRecord): void {
    this.#granted((grantor) => {
      requireWithinGrant(record, grantor);
      const { environment } = record;
      // A store may serve several environments, and a principal of one could never have given a key of another.
      const isOwn = environment === ANY_ENVIRONMENT || environment === this.#with.options.format.environment;
      if (grantor !== undefined && !isOwn) throw new GrantExceededException(`the environment ${environment}`);
    });
  }

  /** A key that reaches for more than it holds is told of as every other denial is. */
  #granted<T>(check: (grantor: Principal | undefined) => T): T {
    try {
      return check(this.#grantor);
    } catch (error) {
      if (error instanceof GrantExceededException && this.#grantor !== undefined) {
        reportGrantExceeded(this.#with.events, this.#with.clock, this.#grantor);
      }
      throw error;
    }
  }

  async #read(id: string): Promise<ApiKeyRecord> {
    requireId(id);
    const record = await askStore(() => this.#with.store.findById(this.tenantId, id));
    if (record === null) throw new KeyNotFoundException();
    return record;
  }

  #alive(record: ApiKeyRecord): ApiKeyRecord {
    const { revokedAt, rotatedTo, expiresAt } = record;
    const expired = expiresAt !== undefined && expiresAt.getTime() <= this.#with.clock.now();
    if (revokedAt !== undefined || rotatedTo !== undefined || expired) throw new KeyConflictException();
    return record;
  }

  /** A new key, and its record as far as it does not depend on what it may do. */
  #make(environment: string): { readonly record: MadeRecord; readonly secret: ApiKeySecret } {
    const { clock, options } = this.#with;
    const format = environment === ANY_ENVIRONMENT ? options.format : { ...options.format, environment };
    const { text, locator } = generateKey(format);
    const record = {
      id: `key_${randomHex(ID_BYTES)}`,
      locator,
      tenantId: this.tenantId,
      digest: options.digester.digest(text),
      digestVersion: options.digester.version,
      environment: format.environment,
      createdAt: new Date(clock.now()),
      version: 1,
    };
    return { record, secret: new ApiKeySecret(text) };
  }

  async #insert(complete: (made: MadeRecord) => ApiKeyRecord): Promise<IssuedApiKey> {
    const { store, options, invalidation } = this.#with;
    for (let attempt = 0; attempt < ATTEMPTS; attempt += 1) {
      const made = this.#make(options.format.environment);
      const record = complete(made.record);
      if (!(await askStore(() => store.insert(record)))) continue;
      // Somebody may have asked for it before it was there.
      await invalidation.invalidate([record.locator]);
      return { record: withoutDigest(record), secret: made.secret };
    }
    throw new KeyStoreUnavailableException(new Error('Every id that was drawn is taken: is the store sound?'));
  }

  #requireLastingStore(): void {
    const { store, options } = this.#with;
    if (!store.volatile || process.env.NODE_ENV !== 'production' || options.allowInMemoryStore) return;
    throw new KeyfenceConfigurationError(
      'store',
      'keeps keys in memory, and they would be lost when the process ends',
      'Use a store with a database, or set allowInMemoryStore: true.',
    );
  }

  #emit(type: KeyLifecycleEvent['type'], { tenantId, id }: ApiKeyRecord, successorId?: string): void {
    const { clock, events } = this.#with;
    const grantor = this.#grantor;
    const actor = grantor === undefined ? 'system' : { tenantId: grantor.tenantId, keyId: grantor.keyId };
    events.emit(() => ({ type, at: new Date(clock.now()), actor, tenantId, keyId: id, successorId }));
  }
}

/** @internal */
export function reportGrantExceeded(events: KeyfenceEvents, clock: Clock, { tenantId, keyId }: Principal): void {
  events.emit(() => ({
    type: 'access_denied',
    at: new Date(clock.now()),
    errorCode: 'grant_exceeded',
    reason: 'grant_exceeded',
    key: { tenantId, keyId },
  }));
}

/** What can be no id is not asked for: it comes from a request, and a database may choke on it. */
function requireId(id: unknown): void {
  if (typeof id !== 'string' || !ID.test(id)) throw new KeyNotFoundException();
}

function overlapOf({ overlap = DEFAULT_OVERLAP, immediate = false }: RotateOptions): number {
  const milliseconds = parseDuration(overlap);
  if (milliseconds === undefined) {
    throw new KeyfenceConfigurationError('rotate({ overlap })', `is '${overlap}'`, `Rule: ${DURATION_RULE}.`);
  }
  return immediate ? -IMMEDIATE_MARGIN_MS : milliseconds;
}

/** Records are returned from controllers, and no answer should hold a digest: it is there, and not enumerable. */
function withoutDigest(record: ApiKeyRecord): ApiKeyRecord {
  const { digest, ...rest } = record;
  return Object.defineProperty(rest as ApiKeyRecord, 'digest', { value: digest });
}
