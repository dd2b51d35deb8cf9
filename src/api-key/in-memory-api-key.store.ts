import { Logger } from '@nestjs/common';
import { KeyfenceConfigurationError } from '../errors/configuration.error.js';
import { isTenantId, TENANT_ID_RULE, type TenantId } from '../principal/tenant-id.js';
import { ANY_ENVIRONMENT, FOREIGN_KEY_LENGTH, readForeignKey } from './api-key-format.js';
import type { ApiKeyRecord } from './api-key-record.js';
import { ManagedApiKeyStore, type KeyPage, type ListKeysQuery } from './api-key.store.js';
import { digestKey } from './key-digest.js';
import { parseNewKey, type NewApiKey } from './new-api-key.js';

/** What a key that a team already has may do: as for a new key, and whose it is. */
export interface ExistingKey extends Omit<NewApiKey, 'name'> {
  readonly tenantId: string;
  /** @default its position in the list */
  readonly name?: string;
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
    return Promise.resolve(copyOf(this.#byLocator.get(locator)));
  }

  async insert(record: ApiKeyRecord): Promise<void> {
    await Promise.resolve();
    this.#add(record);
  }

  findById(tenantId: TenantId, id: string): Promise<ApiKeyRecord | null> {
    const record = this.#byId.get(id);
    return Promise.resolve(record?.tenantId === tenantId ? copyOf(record) : null);
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
      items: items.map((record) => copyOf(record)),
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
    digest: digestKey(text),
    digestVersion: 'sha256',
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
  const { createdAt, notBefore, expiresAt, revokedAt } = record;
  return {
    ...record,
    createdAt: new Date(createdAt),
    notBefore: notBefore && new Date(notBefore),
    expiresAt: expiresAt && new Date(expiresAt),
    revokedAt: revokedAt && new Date(revokedAt),
  };
}

function deepFreeze<T extends object>(value: T): T {
  for (const part of Object.values(value)) {
    if (typeof part === 'object' && part !== null) deepFreeze(part as object);
  }
  return Object.freeze(value);
}
