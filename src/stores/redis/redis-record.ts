import { types } from 'node:util';
import type { ApiKeyRecord } from '../../api-key/api-key-record.js';
import { isPathGrant } from '../../confined-fs/path-grant.js';
import { isScope } from '../../principal/scope.js';
import { isTenantId } from '../../principal/tenant-id.js';

/** A field of a stored record that does not say what it should. Its value is in no message. */
export class MalformedFieldError extends Error {
  override readonly name = 'MalformedFieldError';

  constructor(field: string) {
    super(`The stored record of a key has a malformed "${field}".`);
  }
}

const FIELDS = [
  'id',
  'locator',
  'tenantId',
  'name',
  'digest',
  'digestVersion',
  'scopes',
  'paths',
  'environment',
  'allowedIps',
  'createdAt',
  'notBefore',
  'expiresAt',
  'revokedAt',
  'rotatedTo',
  'graceEndsAt',
  'lineageId',
  'lastUsedAt',
  'metadata',
  'version',
] as const satisfies readonly (keyof ApiKeyRecord)[];

/** A record as fields of a hash: texts as they are, times as milliseconds, lists and metadata as JSON. What is absent has no field. */
export function encodeFields(record: ApiKeyRecord, only: readonly (keyof ApiKeyRecord)[] = FIELDS): string[] {
  return only.flatMap((field) => {
    const value: unknown = record[field];
    return isAbsent(value) ? [] : [field, encodeValue(field, value)];
  });
}

/** Those of the fields that the record has not. */
export function absentFields(record: ApiKeyRecord, fields: readonly (keyof ApiKeyRecord)[]): string[] {
  return fields.filter((field) => isAbsent(record[field]));
}

/** @throws MalformedFieldError */
export function decodeFields(fields: ReadonlyMap<string, string>): ApiKeyRecord {
  const optional = <T>(field: string, decode: (text: string) => T | undefined): T | undefined => {
    const text = fields.get(field);
    return text === undefined ? undefined : sound(field, decode(text));
  };
  const required = <T>(field: string, decode: (text: string) => T | undefined): T =>
    sound(field, optional(field, decode));
  return {
    id: required('id', decodeText),
    locator: required('locator', decodeText),
    tenantId: required('tenantId', (text) => (isTenantId(text) ? text : undefined)),
    name: required('name', (text) => text),
    digest: required('digest', decodeText),
    digestVersion: required('digestVersion', decodeText),
    scopes: required('scopes', (text) => decodeList(text, isScope)),
    paths: optional('paths', (text) => decodeList(text, isPathGrant)),
    environment: required('environment', decodeText),
    allowedIps: optional('allowedIps', (text) => decodeList(text, isFilledText)),
    createdAt: required('createdAt', decodeDate),
    notBefore: optional('notBefore', decodeDate),
    expiresAt: optional('expiresAt', decodeDate),
    revokedAt: optional('revokedAt', decodeDate),
    rotatedTo: optional('rotatedTo', decodeText),
    graceEndsAt: optional('graceEndsAt', decodeDate),
    lineageId: required('lineageId', decodeText),
    lastUsedAt: optional('lastUsedAt', decodeDate),
    metadata: optional('metadata', decodeObject),
    version: required('version', decodeVersion),
  };
}

function sound<T>(field: string, value: T | undefined): T {
  if (value === undefined) throw new MalformedFieldError(field);
  return value;
}

function isAbsent(value: unknown): value is null | undefined {
  return value === undefined || value === null;
}

function encodeValue(field: string, value: unknown): string {
  if (types.isDate(value)) {
    // What cannot be read again must not be written: the key would be refused for good.
    if (Number.isNaN(value.getTime())) throw new MalformedFieldError(field);
    return String(value.getTime());
  }
  return typeof value === 'string' ? value : JSON.stringify(value);
}

function decodeText(text: string): string | undefined {
  return text === '' ? undefined : text;
}

function decodeDate(text: string): Date | undefined {
  const date = /^-?\d{1,16}$/.test(text) ? new Date(Number(text)) : undefined;
  return date === undefined || Number.isNaN(date.getTime()) ? undefined : date;
}

function decodeVersion(text: string): number | undefined {
  return /^\d{1,15}$/.test(text) ? Number(text) : undefined;
}

function decodeList<T extends string>(text: string, isItem: (item: unknown) => item is T): T[] | undefined {
  const value = parseJson(text);
  return Array.isArray(value) && value.every(isItem) ? value : undefined;
}

function decodeObject(text: string): Readonly<Record<string, unknown>> | undefined {
  const value = parseJson(text);
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return undefined;
  return value as Record<string, unknown>;
}

function isFilledText(value: unknown): value is string {
  return typeof value === 'string' && value !== '';
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
