import { generateKey, type ApiKeyFormat } from '../api-key/api-key-format.js';
import type { ApiKeyRecord } from '../api-key/api-key-record.js';
import { KeyDigester, type Peppers } from '../api-key/key-digest.js';
import { parseNewKey } from '../api-key/new-api-key.js';
import { KeyfenceConfigurationError } from '../errors/configuration.error.js';
import { isTenantId, TENANT_ID_RULE } from '../principal/tenant-id.js';

/** What a key made for a test is to be; what is left out is as for a key just issued that nothing limits. */
export interface TestKeyOptions {
  /** @default 'test-tenant' */
  readonly tenantId?: string;
  /** @default 'test key' */
  readonly name?: string;
  /** @default ['test:read'] */
  readonly scopes?: readonly string[];
  readonly paths?: readonly string[];
  readonly allowedIps?: readonly string[];
  readonly notBefore?: Date;
  readonly expiresAt?: Date;
  readonly metadata?: Readonly<Record<string, unknown>>;
  /** @default the time of the system */
  readonly createdAt?: Date;
  /** For a key that was revoked. */
  readonly revokedAt?: Date;
  /** For a key that was replaced; with `graceEndsAt`. */
  readonly rotatedTo?: string;
  readonly graceEndsAt?: Date;
  readonly lastUsedAt?: Date;
  /** As the option `apiKey.prefix` of the application. @default 'kf' */
  readonly prefix?: string;
  /** As the option `apiKey.environment` of the application. @default 'live' */
  readonly environment?: string;
  /** As the option `apiKey.peppers` of the application. @default none */
  readonly peppers?: Peppers;
}

/** A key and its record, to put into any store. */
export interface TestKey {
  /** What a request carries. */
  readonly text: string;
  /** What a store holds. */
  readonly record: ApiKeyRecord;
}

/**
 * Makes a key that is valid once its record is in the store. Every call gives another key. It needs no application: for
 * tests of a store, and for keys that `ApiKeyService` does not make, such as revoked ones.
 * @throws KeyfenceConfigurationError for a bad tenant id, name, scope, date, address or path
 * @example
 * const { text, record } = createTestKey({ tenantId: 'acme', scopes: ['files:read'], revokedAt: new Date() });
 * await store.insert(record);
 */
export function createTestKey(options: TestKeyOptions = {}): TestKey {
  const { tenantId = 'test-tenant', name = 'test key', scopes = ['test:read'] } = options;
  if (!isTenantId(tenantId)) {
    throw new KeyfenceConfigurationError('createTestKey({ tenantId })', 'is not valid', `${TENANT_ID_RULE}.`);
  }
  const { paths, allowedIps, notBefore, expiresAt, metadata } = options;
  const limits = parseNewKey('createTestKey', { name, scopes, paths, allowedIps, notBefore, expiresAt, metadata });
  const { createdAt = new Date(), revokedAt, rotatedTo, graceEndsAt, lastUsedAt } = options;
  const { prefix = 'kf', environment = 'live', peppers } = options;
  const format: ApiKeyFormat = { prefix, environment };
  const digester = new KeyDigester(peppers);
  const { text, locator } = generateKey(format);
  const id = `key_${locator}`;
  const record: ApiKeyRecord = {
    ...limits,
    id,
    locator,
    tenantId,
    digest: digester.digest(text),
    digestVersion: digester.version,
    environment,
    createdAt,
    revokedAt,
    rotatedTo,
    graceEndsAt,
    lineageId: id,
    lastUsedAt,
    version: 1,
  };
  return { text, record };
}
