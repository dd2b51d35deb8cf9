import { types } from 'node:util';
import { isPathGrant, PATH_GRANT_RULE } from '../confined-fs/path-grant.js';
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
  /**
   * The only paths of the tenant's directory that it reaches, 1 to 100: `dir/**` for all in a directory, or one file.
   * @default all
   */
  readonly paths?: readonly string[];
  /** Whatever JSON can hold, 4 KiB at most; the principal carries it. Nothing secret. */
  readonly metadata?: Readonly<Record<string, unknown>>;
}

/** What to change of a key: a field that is left out stays, and `null` takes a limit away. */
export type ApiKeyChanges = {
  readonly [Field in keyof NewApiKey]?: Field extends 'name' | 'scopes' ? NewApiKey[Field] : NewApiKey[Field] | null;
};

/** A new key whose every field is sound. */
export type ParsedNewKey = Pick<
  ApiKeyRecord,
  'name' | 'scopes' | 'paths' | 'expiresAt' | 'notBefore' | 'allowedIps' | 'metadata'
>;

const FIELDS = ['name', 'scopes', 'paths', 'expiresAt', 'notBefore', 'allowedIps', 'metadata'] as const;
const MAX_NAME_LENGTH = 100;
// eslint-disable-next-line no-control-regex -- control characters are what it looks for
const CONTROL = /[\u0000-\u001f\u007f-\u009f]/;
const MAX_ITEMS = 100;
const MAX_METADATA_BYTES = 4096;
/** Of each list: caches hold many records. */
const MAX_LIST_BYTES = 16_384;

/**
 * Reads what a new key is to be. A field that is not known is an error: a limit that is not enforced must not look so.
 * @param where what was called, for messages
 * @throws KeyfenceConfigurationError that names the field and the rule
 */
export function parseNewKey(where: string, key: NewApiKey): ParsedNewKey {
  const require = (field: string, sound: boolean, rule: string): void => {
    if (!sound) throw new KeyfenceConfigurationError(`${where}({ ${field} })`, 'is not valid', `Rule: ${rule}.`);
  };
  // Copies, so that what is checked is what is stored, whatever the caller does with its own.
  const { name, metadata } = key;
  const [scopes, paths, allowedIps] = [copyOfList(key.scopes), copyOfList(key.paths), copyOfList(key.allowedIps)];
  const [expiresAt, notBefore] = [copyOfDate(key.expiresAt), copyOfDate(key.notBefore)];
  const fields: readonly string[] = FIELDS;
  for (const field of Object.keys(key)) require(field, fields.includes(field), `there are ${fields.join(', ')}`);
  require('name', isName(name), `a name is 1 to ${MAX_NAME_LENGTH} characters, none of them a control character`);
  require('scopes', isList(scopes, isScope), `a key has 1 to ${MAX_ITEMS} scopes; ${SCOPE_RULE}`);
  require('expiresAt', expiresAt === undefined || isDate(expiresAt), 'it is a Date');
  require('notBefore', notBefore === undefined || isDate(notBefore), 'it is a Date');
  require('notBefore', notBefore === undefined ||
    expiresAt === undefined ||
    notBefore < expiresAt, 'it is before expiresAt');
  require('allowedIps', allowedIps === undefined ||
    isList(
      allowedIps,
      isAllowedIp,
    ), `a key has 1 to ${MAX_ITEMS} of them, or the field is left out; ${ALLOWED_IP_RULE}`);
  require('paths', paths === undefined ||
    isList(paths, isPathGrant), `a key has 1 to ${MAX_ITEMS} of them, or the field is left out; ${PATH_GRANT_RULE}`);
  const json = metadata === undefined ? undefined : toJson(metadata);
  require('metadata', metadata === undefined ||
    json !== undefined, `an object that JSON can hold, ${MAX_METADATA_BYTES} bytes at most`);
  return {
    name,
    scopes: scopes as readonly Scope[],
    paths: paths as ParsedNewKey['paths'],
    expiresAt,
    notBefore,
    allowedIps,
    // As JSON gives it back, so that a store in memory keeps what a store with a database would.
    metadata: json === undefined ? undefined : (JSON.parse(json) as ApiKeyRecord['metadata']),
  };
}

/**
 * A key as it is to be after a change. The whole is read anew, so that nothing that a new key may not have comes in.
 * @throws KeyfenceConfigurationError that names the field and the rule
 */
export function parseChanges(where: string, record: ApiKeyRecord, changes: ApiKeyChanges): ParsedNewKey {
  const fields: readonly string[] = FIELDS;
  const unknown = Object.entries<unknown>(changes).filter(
    ([field, value]) => !fields.includes(field) || value === undefined,
  );
  for (const [field] of unknown) {
    throw new KeyfenceConfigurationError(
      `${where}({ ${field} })`,
      fields.includes(field) ? 'is undefined' : 'cannot be changed',
      `Leave it out to keep it; null takes a limit away. There are ${fields.join(', ')}.`,
    );
  }
  const kept = FIELDS.map((field) => [field, record[field]] as const);
  const merged = [...kept, ...Object.entries(changes)].map(([field, value]) => [field, value ?? undefined]);
  return parseNewKey(where, Object.fromEntries(merged) as NewApiKey);
}

/** Without holes, which `every` passes over. What is no list stays as it is, to be refused. */
function copyOfList<T>(list: readonly T[] | undefined): readonly T[] | undefined {
  return Array.isArray(list) ? Object.freeze(Array.from(list)) : list;
}

/** By the time that it holds: a subclass may say another one to whoever compares. */
function copyOfDate(date: Date | undefined): Date | undefined {
  return types.isDate(date) ? new Date(Date.prototype.getTime.call(date)) : date;
}

function isName(value: unknown): boolean {
  if (typeof value !== 'string' || value.trim() === '' || value.length > MAX_NAME_LENGTH) return false;
  // Some databases cut a text at a NUL, and a line feed makes two lines of a log's one.
  return value.isWellFormed() && !CONTROL.test(value);
}

function isDate(value: unknown): boolean {
  return types.isDate(value) && !Number.isNaN(value.getTime());
}

function isList(value: unknown, isItem: (item: string) => boolean): boolean {
  if (!Array.isArray(value) || value.length === 0 || value.length > MAX_ITEMS) return false;
  if (Buffer.byteLength(value.join()) > MAX_LIST_BYTES) return false;
  return value.every((item) => typeof item === 'string' && isItem(item));
}

function toJson(value: unknown): string | undefined {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return undefined;
  try {
    const text = JSON.stringify(value);
    return Buffer.byteLength(text) <= MAX_METADATA_BYTES ? text : undefined;
  } catch {
    return undefined;
  }
}
