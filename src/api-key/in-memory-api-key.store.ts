import { Logger } from '@nestjs/common';
import { KeyfenceConfigurationError } from '../errors/configuration.error.js';
import { isScope, SCOPE_RULE } from '../principal/scope.js';
import { isTenantId, TENANT_ID_RULE, type TenantId } from '../principal/tenant-id.js';
import { FOREIGN_KEY_LENGTH, readForeignKey } from './api-key-format.js';
import type { ApiKeyRecord } from './api-key-record.js';
import { ManagedApiKeyStore, type KeyPage, type ListKeysQuery } from './api-key.store.js';
import { digestKey } from './key-digest.js';

/** What a key that a team already has may do. */
export interface ExistingKey {
  readonly tenantId: string;
  readonly scopes: readonly string[];
  readonly name?: string;
  readonly expiresAt?: Date;
  readonly allowedIps?: readonly string[];
  readonly metadata?: Readonly<Record<string, unknown>>;
}

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
      store.#add(recordOf(text, key, index + 1));
    }
    return store;
  }

  findByLocator(locator: string): Promise<ApiKeyRecord | null> {
    return Promise.resolve(this.#byLocator.get(locator) ?? null);
  }

  async insert(record: ApiKeyRecord): Promise<void> {
    await Promise.resolve();
    this.#add(record);
  }

  findById(tenantId: TenantId, id: string): Promise<ApiKeyRecord | null> {
    const record = this.#byId.get(id);
    return Promise.resolve(record?.tenantId === tenantId ? structuredClone(record) : null);
  }

  revoke(tenantId: TenantId, id: string, at: Date): Promise<ApiKeyRecord | null> {
    const record = this.#byId.get(id);
    if (record?.tenantId === tenantId && record.revokedAt === undefined) {
      this.#put({ ...record, revokedAt: at, version: record.version + 1 });
    }
    return this.findById(tenantId, id);
  }

  list(tenantId: TenantId, query: ListKeysQuery): Promise<KeyPage> {
    const keys = [...this.#byId.values()].filter((record) => record.tenantId === tenantId);
    // The key that a page ended with may have been revoked since; it still marks the place.
    const start = query.cursor === undefined ? 0 : keys.findIndex((record) => record.id === query.cursor) + 1;
    const rest = keys.slice(start).filter((record) => query.includeRevoked || record.revokedAt === undefined);
    const items = rest.slice(0, query.limit);
    return Promise.resolve({
      items: structuredClone(items),
      next: rest.length > items.length ? items.at(-1)?.id : undefined,
    });
  }

  #add(record: ApiKeyRecord): void {
    if (this.#byId.has(record.id) || this.#byLocator.has(record.locator)) {
      throw new Error('The store holds a key with this id or locator already.');
    }
    this.#put(record);
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
  if (parsed === undefined || !/^[\u0021-\u007e]+$/.test(text)) {
    throw new KeyfenceConfigurationError(
      where,
      `is empty, unset or not ${FOREIGN_KEY_LENGTH.min} to ${FOREIGN_KEY_LENGTH.max} visible ASCII characters`,
      'Is the environment variable that holds it set?',
    );
  }
  if (text.length < ADVISED_KEY_LENGTH) {
    new Logger('Keyfence').warn(
      `${where} has under ${ADVISED_KEY_LENGTH} characters, so it may be guessed. Replace it.`,
    );
  }
  if (!isTenantId(key.tenantId))
    throw new KeyfenceConfigurationError(`${where}: tenantId`, 'is not valid', `${TENANT_ID_RULE}.`);
  if (!Array.isArray(key.scopes) || !key.scopes.every(isScope)) {
    throw new KeyfenceConfigurationError(`${where}: scopes`, 'holds what is no scope', `${SCOPE_RULE}.`);
  }
  const id = `configured-${parsed.locator}`;
  return {
    id,
    locator: parsed.locator,
    tenantId: key.tenantId,
    name: key.name ?? `configured key ${position}`,
    digest: digestKey(text),
    digestVersion: 'sha256',
    scopes: key.scopes,
    environment: 'any',
    allowedIps: key.allowedIps,
    createdAt: new Date(0),
    expiresAt: key.expiresAt,
    lineageId: id,
    metadata: key.metadata,
    version: 1,
  };
}

function deepFreeze<T extends object>(value: T): T {
  for (const part of Object.values(value)) {
    if (typeof part === 'object' && part !== null) deepFreeze(part as object);
  }
  return Object.freeze(value);
}
