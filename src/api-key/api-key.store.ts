import type { TenantId } from '../principal/tenant-id.js';
import type { ApiKeyRecord, StoredApiKey } from './api-key-record.js';

/**
 * Where the records of keys are kept: the port that an application implements, and its injection token.
 *
 * @example
 * class KeysFromMyDatabase extends ApiKeyStore {
 *   findByLocator(locator: string) {
 *     return this.keys.findOneBy({ locator });
 *   }
 * }
 */
export abstract class ApiKeyStore {
  /**
   * Whether the store holds keys that Keyfence did not issue. Only then is a key of another format looked up; otherwise it
   * is refused without asking the store. Such a key's locator is derived from its text.
   */
  readonly foreignKeys: boolean = false;

  /**
   * The record with this locator, or `null`. Called once for a key whose checksum is right, and never for another.
   * Whatever it throws, and an answer that takes longer than 3 seconds, denies with `key_store_unavailable`.
   */
  abstract findByLocator(locator: string): Promise<StoredApiKey | null>;
}

/** Which of a tenant's keys to list. */
export interface ListKeysQuery {
  /** From 1 to 200. */
  readonly limit: number;
  /** The `next` of the page before. */
  readonly cursor?: string;
  readonly includeRevoked: boolean;
}

/** One page of a tenant's keys, oldest first. `next` is absent on the last page. */
export interface KeyPage {
  readonly items: readonly ApiKeyRecord[];
  readonly next?: string;
}

/**
 * A store that can also manage keys. Every method that takes a tenant acts on that tenant's keys alone: another tenant's id
 * is the same as none.
 */
export abstract class ManagedApiKeyStore extends ApiKeyStore {
  /** Whether the keys are lost when the process ends. Issuing into such a store is refused in production. */
  readonly volatile: boolean = false;

  /** Adds a record. Rejects if its id or its locator is taken. */
  abstract insert(record: ApiKeyRecord): Promise<void>;

  abstract findById(tenantId: TenantId, id: string): Promise<ApiKeyRecord | null>;

  /** Sets `revokedAt` where it is not set, atomically, and returns the record as it is then. */
  abstract revoke(tenantId: TenantId, id: string, at: Date): Promise<ApiKeyRecord | null>;

  abstract list(tenantId: TenantId, query: ListKeysQuery): Promise<KeyPage>;
}
