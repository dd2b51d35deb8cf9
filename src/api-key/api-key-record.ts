import { types } from 'node:util';
import { isPathGrant, type PathGrant } from '../confined-fs/path-grant.js';
import { isScope, type Scope } from '../principal/scope.js';
import { isTenantId, type TenantId } from '../principal/tenant-id.js';

/** What is stored of a key. It holds no secret: the digest cannot be turned back into the key. */
export interface ApiKeyRecord {
  readonly id: string;
  /** What a request's key finds the record by; unique in the store. */
  readonly locator: string;
  readonly tenantId: TenantId;
  readonly name: string;
  /** Of the whole key text, in hexadecimal. */
  readonly digest: string;
  /** How the digest was made: `sha256`, or `hmac-sha256:<pepper version>`. */
  readonly digestVersion: string;
  readonly scopes: readonly Scope[];
  /** The only paths of the tenant's directory that the key reaches: `dir/**` or one file. Absent: all. Empty: none. */
  readonly paths?: readonly PathGrant[];
  /** `any` for a key that Keyfence did not issue. */
  readonly environment: string;
  /** Addresses and CIDR ranges that may use the key; absent: all. An empty list: none. */
  readonly allowedIps?: readonly string[];
  readonly createdAt: Date;
  readonly notBefore?: Date;
  readonly expiresAt?: Date;
  /** Set once, never cleared. */
  readonly revokedAt?: Date;
  /** The id of the key that replaced this one. */
  readonly rotatedTo?: string;
  /** Until when a key that was replaced still works. */
  readonly graceEndsAt?: Date;
  /** The same for a key and the keys that replace it. */
  readonly lineageId: string;
  /** When the key was last used, give or take the interval in which uses are written. */
  readonly lastUsedAt?: Date;
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
  readonly paths?: readonly string[] | null;
  readonly environment: string;
  readonly allowedIps?: readonly string[] | null;
  readonly notBefore?: Date | null;
  readonly expiresAt?: Date | null;
  readonly revokedAt?: Date | null;
  readonly rotatedTo?: string | null;
  readonly graceEndsAt?: Date | null;
  readonly metadata?: Readonly<Record<string, unknown>> | null;
}

/** What verification needs of a record, once it is known to be sound. Deeply frozen but for its dates. */
export type VerifiableRecord = Pick<
  ApiKeyRecord,
  | 'id'
  | 'locator'
  | 'tenantId'
  | 'digest'
  | 'digestVersion'
  | 'scopes'
  | 'paths'
  | 'environment'
  | 'allowedIps'
  | 'notBefore'
  | 'expiresAt'
  | 'revokedAt'
  | 'graceEndsAt'
  | 'metadata'
>;

const DIGEST = /^[0-9a-f]{64}$/;

/**
 * Reads what a store returned. `undefined` for anything that is not a sound record: a missing tenant, a date that is no
 * date, a scope that is no scope, a replaced key without an end. A limit that cannot be read must never count as no limit.
 */
export function readRecord(value: unknown): VerifiableRecord | undefined {
  if (!isObject(value)) return undefined;
  const { id, locator, tenantId, digest, digestVersion, scopes, environment } = value;
  const allowedIps = value.allowedIps ?? undefined;
  const paths = value.paths ?? undefined;
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
    (paths === undefined || isListOf(paths, isPathGrant));
  if (!sound) return undefined;
  const notBefore = readDate(value.notBefore);
  const expiresAt = readDate(value.expiresAt);
  const revokedAt = readDate(value.revokedAt);
  const graceEndsAt = readDate(value.graceEndsAt);
  if (notBefore === null || expiresAt === null || revokedAt === null || graceEndsAt === null) return undefined;
  if (((value.rotatedTo ?? undefined) === undefined) !== (graceEndsAt === undefined)) return undefined;
  const metadata = readMetadata(value.metadata);
  if (metadata === null) return undefined;
  return {
    id,
    locator,
    tenantId,
    digest,
    digestVersion,
    scopes: Object.freeze([...scopes]),
    paths: paths && Object.freeze([...paths]),
    environment,
    allowedIps: allowedIps && Object.freeze([...allowedIps]),
    notBefore,
    expiresAt,
    revokedAt,
    graceEndsAt,
    metadata,
  };
}

/** `undefined` if absent, `null` if present and no plain data. */
function readMetadata(value: unknown): Readonly<Record<string, unknown>> | undefined | null {
  if (value === undefined || value === null) return undefined;
  if (!isObject(value)) return null;
  try {
    return deepFreeze(structuredClone(value));
  } catch {
    return null;
  }
}

/** `undefined` if absent, `null` if present and no date. Databases say absent by `null`. */
function readDate(value: unknown): Date | undefined | null {
  if (value === undefined || value === null) return undefined;
  // A copy: whoever moves a date of the store's must not move the key's.
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

/** Freezes plain data through and through. A date cannot be frozen. */
export function deepFreeze<T extends object>(value: T): T {
  for (const part of Object.values(value)) {
    if (typeof part === 'object' && part !== null) deepFreeze(part as object);
  }
  return Object.freeze(value);
}
