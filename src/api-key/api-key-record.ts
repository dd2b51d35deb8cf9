import { types } from 'node:util';
import { isScope, type Scope } from '../principal/scope.js';
import { isTenantId, type TenantId } from '../principal/tenant-id.js';
import type { DigestVersion } from './key-digest.js';

/** What is stored of a key. It holds no secret: the digest cannot be turned back into the key. */
export interface ApiKeyRecord {
  readonly id: string;
  /** What a request's key finds the record by; unique in the store. */
  readonly locator: string;
  readonly tenantId: TenantId;
  readonly name: string;
  /** Of the whole key text, in hexadecimal. */
  readonly digest: string;
  readonly digestVersion: DigestVersion;
  readonly scopes: readonly Scope[];
  /** `any` for a key that Keyfence did not issue. */
  readonly environment: string;
  /** Addresses and CIDR ranges that may use the key; absent: all. An empty list: none. */
  readonly allowedIps?: readonly string[];
  readonly createdAt: Date;
  readonly notBefore?: Date;
  readonly expiresAt?: Date;
  /** Set once, never cleared. */
  readonly revokedAt?: Date;
  /** The same for a key and the keys that replace it. */
  readonly lineageId: string;
  readonly metadata?: Readonly<Record<string, unknown>>;
  /** Counts the changes of the record. */
  readonly version: number;
}

/**
 * What verification reads of a key, as a database gives it: plain text and dates, `null` where a limit is not set. Every
 * {@link ApiKeyRecord} is one. It is checked whenever it is read, and one that is not sound is refused.
 */
export interface StoredApiKey {
  readonly id: string;
  readonly locator: string;
  readonly tenantId: string;
  readonly digest: string;
  readonly digestVersion: string;
  readonly scopes: readonly string[];
  readonly environment: string;
  readonly allowedIps?: readonly string[] | null;
  readonly notBefore?: Date | null;
  readonly expiresAt?: Date | null;
  readonly revokedAt?: Date | null;
  readonly metadata?: Readonly<Record<string, unknown>> | null;
}

/** What verification needs of a record, once it is known to be sound. */
export type VerifiableRecord = { readonly digestVersion: string } & Pick<
  ApiKeyRecord,
  | 'id'
  | 'locator'
  | 'tenantId'
  | 'digest'
  | 'scopes'
  | 'environment'
  | 'allowedIps'
  | 'notBefore'
  | 'expiresAt'
  | 'revokedAt'
  | 'metadata'
>;

const DIGEST = /^[0-9a-f]{64}$/;
/** Fields that narrow a key and that this version does not enforce: a record that has one is refused, not widened. */
const UNENFORCED_LIMITS = ['paths', 'graceEndsAt', 'rotatedTo'];

/**
 * Reads what a store returned. `undefined` for anything that is not a sound record: a missing tenant, a date that is no
 * date, a scope that is no scope. A limit that cannot be read must never count as no limit.
 */
export function readRecord(value: unknown): VerifiableRecord | undefined {
  if (!isObject(value)) return undefined;
  const { id, locator, tenantId, digest, digestVersion, scopes, environment, metadata } = value;
  const allowedIps = value.allowedIps ?? undefined;
  const sound =
    isText(id) &&
    isText(locator) &&
    isTenantId(tenantId) &&
    typeof digest === 'string' &&
    DIGEST.test(digest) &&
    isText(digestVersion) &&
    isListOf(scopes, isScope) &&
    isText(environment) &&
    (allowedIps === undefined || isListOf(allowedIps, isText)) &&
    UNENFORCED_LIMITS.every((field) => (value[field] ?? undefined) === undefined);
  if (!sound) return undefined;
  const notBefore = readDate(value.notBefore);
  const expiresAt = readDate(value.expiresAt);
  const revokedAt = readDate(value.revokedAt);
  if (notBefore === null || expiresAt === null || revokedAt === null) return undefined;
  return {
    id,
    locator,
    tenantId,
    digest,
    digestVersion,
    scopes,
    environment,
    allowedIps,
    notBefore,
    expiresAt,
    revokedAt,
    metadata: isObject(metadata) ? metadata : undefined,
  };
}

/** `undefined` if absent, `null` if present and no date. Databases say absent by `null`. */
function readDate(value: unknown): Date | undefined | null {
  if (value === undefined || value === null) return undefined;
  // A copy: the principal carries it, and no handler may move a date of the store.
  return types.isDate(value) && !Number.isNaN(value.getTime()) ? new Date(value) : null;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isText(value: unknown): value is string {
  return typeof value === 'string' && value !== '';
}

function isListOf<T>(value: unknown, isItem: (item: unknown) => item is T): value is T[] {
  // Not `every`, which passes over holes.
  return Array.isArray(value) && !Array.from<unknown>(value).some((item) => !isItem(item));
}
