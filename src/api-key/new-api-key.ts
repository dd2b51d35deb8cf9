import { KeyfenceConfigurationError } from '../errors/configuration.error.js';
import { isScope, SCOPE_RULE, type Scope } from '../principal/scope.js';
import { ALLOWED_IP_RULE, isAllowedIp } from './allowed-addresses.js';
import type { ApiKeyRecord } from './api-key-record.js';

/** What a new key is to be. */
export interface NewApiKey {
  /** For people: 1 to 100 characters. */
  readonly name: string;
  /** What it may do: 1 to 100 scopes. */
  readonly scopes: readonly string[];
  /** When it stops working. @default never */
  readonly expiresAt?: Date;
  /** When it starts to work. @default at once */
  readonly notBefore?: Date;
  /** Addresses and CIDR ranges that may use it: 1 to 100. @default all */
  readonly allowedIps?: readonly string[];
  /** Whatever JSON can hold, 4 KiB at most; the principal carries it. Nothing secret. */
  readonly metadata?: Readonly<Record<string, unknown>>;
}

const MAX_NAME_LENGTH = 100;
const MAX_ITEMS = 100;
const MAX_METADATA_BYTES = 4096;

type ParsedKey = Pick<ApiKeyRecord, 'name' | 'expiresAt' | 'notBefore' | 'allowedIps' | 'metadata'> & {
  readonly scopes: readonly Scope[];
};

/** @throws KeyfenceConfigurationError that names the field and the rule */
export function parseNewKey(key: NewApiKey): ParsedKey {
  const { name, scopes, expiresAt, notBefore, allowedIps, metadata } = key;
  if (typeof name !== 'string' || name.trim() === '' || name.length > MAX_NAME_LENGTH) {
    throw wrong('name', `a name is 1 to ${MAX_NAME_LENGTH} characters`);
  }
  if (!isList(scopes, isScope)) throw wrong('scopes', `a key has 1 to ${MAX_ITEMS} scopes; ${SCOPE_RULE}`);
  for (const [field, date] of Object.entries({ expiresAt, notBefore })) {
    if (date !== undefined && !(date instanceof Date && !Number.isNaN(date.getTime())))
      throw wrong(field, 'it is a Date');
  }
  if (allowedIps !== undefined && !isList(allowedIps, isAllowedIp)) {
    throw wrong('allowedIps', `a key has 1 to ${MAX_ITEMS} of them, or the field is left out; ${ALLOWED_IP_RULE}`);
  }
  return { name, scopes: scopes as Scope[], expiresAt, notBefore, allowedIps, metadata: parseMetadata(metadata) };
}

/** As JSON gives it back, so that a store in memory keeps what a store with a database would. */
function parseMetadata(metadata: unknown): ApiKeyRecord['metadata'] {
  if (metadata === undefined) return undefined;
  const text = typeof metadata === 'object' && !Array.isArray(metadata) ? toJson(metadata) : undefined;
  if (metadata === null || text === undefined || Buffer.byteLength(text) > MAX_METADATA_BYTES) {
    throw wrong('metadata', `it is an object that JSON can hold, ${MAX_METADATA_BYTES} bytes at most`);
  }
  return JSON.parse(text) as ApiKeyRecord['metadata'];
}

function toJson(value: unknown): string | undefined {
  try {
    return JSON.stringify(value);
  } catch {
    return undefined;
  }
}

function isList(value: unknown, isItem: (item: string) => boolean): boolean {
  if (!Array.isArray(value) || value.length === 0 || value.length > MAX_ITEMS) return false;
  return value.every((item) => typeof item === 'string' && isItem(item));
}

function wrong(field: string, rule: string): KeyfenceConfigurationError {
  return new KeyfenceConfigurationError(`issue({ ${field} })`, 'is not valid', `Rule: ${rule}.`);
}
