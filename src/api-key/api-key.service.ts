import { Inject, Injectable } from '@nestjs/common';
import { GrantExceededException } from '../errors/authorization.exceptions.js';
import { KeyfenceConfigurationError } from '../errors/configuration.error.js';
import { KeyNotFoundException, KeyStoreUnavailableException } from '../errors/key.exceptions.js';
import type { Principal } from '../principal/principal.js';
import { isTenantId, TENANT_ID_RULE, type TenantId } from '../principal/tenant-id.js';
import { generateKey } from './api-key-format.js';
import { API_KEY_OPTIONS, type ApiKeyOptions } from './api-key-options.js';
import type { ApiKeyRecord } from './api-key-record.js';
import { ApiKeySecret } from './api-key-secret.js';
import { ApiKeyStore, ManagedApiKeyStore, type KeyPage } from './api-key.store.js';
import { Clock } from './clock.js';
import { digestKey, randomHex } from './key-digest.js';
import { withinGrant } from './key-grant.js';
import { parseNewKey, type NewApiKey } from './new-api-key.js';

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
}

const ID_BYTES = 12;
const DEFAULT_LIMIT = 50;
const MAX_LIMIT = 200;

/** Makes and ends keys. Every operation is bound to a tenant first: {@link forTenant}. */
@Injectable()
export class ApiKeyService {
  constructor(
    private readonly store: ApiKeyStore,
    @Inject(API_KEY_OPTIONS) private readonly options: ApiKeyOptions,
    private readonly clock: Clock,
  ) {}

  /**
   * The keys of one tenant. Take the tenant from the caller's principal, never from the request's text.
   * @param options.grantedBy whoever asks, if not the system: a new key then gets at most what that principal holds
   * @throws GrantExceededException for another tenant than the grantor's
   * @throws KeyfenceConfigurationError for a malformed tenant id, and for a store that cannot manage keys
   */
  forTenant(tenantId: string, options: { readonly grantedBy?: Principal } = {}): TenantApiKeys {
    if (!isTenantId(tenantId)) {
      throw new KeyfenceConfigurationError(
        'ApiKeyService.forTenant(tenantId)',
        'got no tenant id',
        `${TENANT_ID_RULE}.`,
      );
    }
    const { grantedBy } = options;
    if ('grantedBy' in options && grantedBy === undefined) {
      throw new KeyfenceConfigurationError(
        'ApiKeyService.forTenant(tenantId, { grantedBy })',
        'is undefined, as @CurrentPrincipal() is on a public route',
        'Require a key on the route, or leave grantedBy out to act for the system.',
      );
    }
    if (grantedBy !== undefined && grantedBy.tenantId !== tenantId) throw new GrantExceededException('this tenant');
    const { store } = this;
    if (!(store instanceof ManagedApiKeyStore)) {
      throw new KeyfenceConfigurationError(
        'store',
        'is an ApiKeyStore, which can look keys up and not manage them',
        'Extend ManagedApiKeyStore to issue, list and revoke keys through ApiKeyService.',
      );
    }
    return new TenantApiKeys(store, tenantId, this.options, this.clock, grantedBy);
  }
}

/** The keys of one tenant. Another tenant's key id is the same as none. */
export class TenantApiKeys {
  readonly #store: ManagedApiKeyStore;
  readonly #options: ApiKeyOptions;
  readonly #clock: Clock;
  readonly #grantor: Principal | undefined;

  /** @internal Use {@link ApiKeyService.forTenant}. */
  constructor(
    store: ManagedApiKeyStore,
    readonly tenantId: TenantId,
    options: ApiKeyOptions,
    clock: Clock,
    grantor: Principal | undefined,
  ) {
    this.#store = store;
    this.#options = options;
    this.#clock = clock;
    this.#grantor = grantor;
  }

  /**
   * Makes a key. Its text is in the answer and nowhere else.
   * @throws KeyfenceConfigurationError for a bad name, scope, date or address, and for an in-memory store in production
   * @throws GrantExceededException for more than the grantor holds
   */
  async issue(key: NewApiKey): Promise<IssuedApiKey> {
    if (this.#store.volatile && process.env.NODE_ENV === 'production' && !this.#options.allowInMemoryStore) {
      throw new KeyfenceConfigurationError(
        'store',
        'keeps keys in memory, and they would be lost when the process ends',
        'Use a store with a database, or set allowInMemoryStore: true.',
      );
    }
    const wanted = withinGrant(parseNewKey('issue', key), this.#grantor);
    const { text, locator } = generateKey(this.#options.format);
    const id = `key_${randomHex(ID_BYTES)}`;
    const record: ApiKeyRecord = {
      ...wanted,
      id,
      locator,
      tenantId: this.tenantId,
      digest: digestKey(text),
      digestVersion: 'sha256',
      environment: this.#options.format.environment,
      createdAt: new Date(this.#clock.now()),
      lineageId: id,
      version: 1,
    };
    await this.#ask(() => this.#store.insert(record));
    return { record: withoutDigest(record), secret: new ApiKeySecret(text) };
  }

  /** Ends a key, for good: it cannot be undone, and doing it again changes nothing. @throws KeyNotFoundException */
  async revoke(id: string): Promise<ApiKeyRecord> {
    return found(await this.#ask(() => this.#store.revoke(this.tenantId, id, new Date(this.#clock.now()))));
  }

  /** One key. @throws KeyNotFoundException */
  async get(id: string): Promise<ApiKeyRecord> {
    return found(await this.#ask(() => this.#store.findById(this.tenantId, id)));
  }

  /** The tenant's keys, oldest first, a page at a time. */
  async list(options: ListKeysOptions = {}): Promise<KeyPage> {
    const { limit = DEFAULT_LIMIT, cursor, includeRevoked = false } = options;
    if (!Number.isInteger(limit) || limit < 1 || limit > MAX_LIMIT) {
      throw new KeyfenceConfigurationError(
        'list({ limit })',
        `is ${limit}`,
        `Give a whole number from 1 to ${MAX_LIMIT}.`,
      );
    }
    const { items, next } = await this.#ask(() => this.#store.list(this.tenantId, { limit, cursor, includeRevoked }));
    return { items: items.map(withoutDigest), next };
  }

  async #ask<T>(ask: () => Promise<T>): Promise<T> {
    try {
      return await ask();
    } catch (error) {
      throw new KeyStoreUnavailableException(error);
    }
  }
}

function found(record: ApiKeyRecord | null): ApiKeyRecord {
  if (record === null) throw new KeyNotFoundException();
  return withoutDigest(record);
}

/** Records are returned from controllers, and no answer should hold a digest: it is there, and not enumerable. */
function withoutDigest(record: ApiKeyRecord): ApiKeyRecord {
  const { digest, ...rest } = record;
  return Object.defineProperty(rest as ApiKeyRecord, 'digest', { value: digest });
}
