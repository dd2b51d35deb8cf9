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
   * The record with this locator, or `null`: one round trip. Called for a key whose checksum is right and that no cache
   * knows, and never for another. Whatever it throws, and an answer that takes longer than 3 seconds, denies with
   * `key_store_unavailable`.
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
  /** Only keys made before this time. */
  readonly createdBefore?: Date;
  /** Only keys that nobody has used since this time: last used before it, or never used and made before it. */
  readonly unusedSince?: Date;
}

/** One page of a tenant's keys, oldest first. `next` is absent on the last page. */
export interface KeyPage {
  readonly items: readonly ApiKeyRecord[];
  readonly next?: string;
}

/** That a key was used, and when last. */
export interface KeyUse {
  readonly id: string;
  readonly at: Date;
}

/** A digest of the same key, made in another way: with another pepper. */
export interface DigestChange {
  readonly id: string;
  /** The digest that is replaced; a record that has another one by now is left alone. */
  readonly from: string;
  readonly digest: string;
  readonly digestVersion: string;
}

/**
 * A store that can also manage keys. Every method that takes a tenant acts on that tenant's keys alone: another tenant's id
 * is the same as none. `nestjs-keyfence/testing` has the cases that an implementation must pass: `apiKeyStoreContract`.
 *
 * A method that changes a record does so atomically and touches no other field than it says, whatever runs beside it, in
 * this process or in another. When its promise resolves, the change is as durable as the store makes anything, and
 * `findByLocator` gives it.
 */
export abstract class ManagedApiKeyStore extends ApiKeyStore {
  /** Whether the keys are lost when the process ends. Issuing into such a store is refused in production. */
  readonly volatile: boolean = false;

  /** Adds a record. `false`, and nothing changed, if its id or its locator is taken. */
  abstract insert(record: ApiKeyRecord): Promise<boolean>;

  abstract findById(tenantId: TenantId, id: string): Promise<ApiKeyRecord | null>;

  /** Oldest first by `createdAt`, then by id. The order is stable while keys are added and revoked. */
  abstract list(tenantId: TenantId, query: ListKeysQuery): Promise<KeyPage>;

  /** Sets `revokedAt` where it is not set and counts `version` up; returns the record as it is then. */
  abstract revoke(tenantId: TenantId, id: string, at: Date): Promise<ApiKeyRecord | null>;

  /**
   * Writes what people may change of a key: `name`, `scopes`, `paths`, `allowedIps`, `notBefore`, `expiresAt`, `metadata`,
   * and `version`. Nothing is written, and the answer is `false`, unless the stored record of this tenant and id has the
   * version before this one, and is neither revoked nor rotated.
   */
  abstract update(record: ApiKeyRecord): Promise<boolean>;

  /**
   * Replaces a key: writes `rotatedTo`, `graceEndsAt` and `version` of the old one under the condition of {@link update},
   * and inserts the new one. Both or neither: `false` if the old one did not meet the condition, or the new one's id or
   * locator is taken.
   */
  abstract rotate(old: ApiKeyRecord, successor: ApiKeyRecord): Promise<boolean>;

  /** Moves `lastUsedAt` forward, never back; ids that are unknown are passed over. `version` stays. One round trip. */
  abstract recordUses(uses: readonly KeyUse[]): Promise<void>;

  /** Replaces digests that are still the ones named. `version` stays. */
  abstract replaceDigests(changes: readonly DigestChange[]): Promise<void>;

  /**
   * Removes at most `limit` keys that were dead before this time: revoked, expired, or replaced with their grace over.
   * @returns how many were removed
   */
  abstract prune(deadBefore: Date, limit: number): Promise<number>;
}
