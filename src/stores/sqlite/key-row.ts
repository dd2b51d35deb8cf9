import { types } from 'node:util';
import type { ApiKeyRecord } from '../../api-key/api-key-record.js';
import { isPathGrant } from '../../confined-fs/path-grant.js';
import { isScope } from '../../principal/scope.js';
import { isTenantId } from '../../principal/tenant-id.js';
import type { SqlRow, SqlValue } from './sqlite-driver.js';

type Field = keyof ApiKeyRecord;

/** A value of a record and how a column holds it. */
interface Kind {
  /** What a column holds (never NULL) as a value; whatever it cannot read becomes one that is not sound. */
  readonly read: (stored: unknown) => unknown;
  readonly write: (value: unknown) => SqlValue;
  readonly isSound: (value: unknown) => boolean;
}

interface Column extends Kind {
  readonly column: string;
  readonly optional: boolean;
}

const TEXT: Kind = { read: asIs, write: (value) => value as string, isSound: isText };
/** For people. libsql cuts a text at a NUL, and a name that lost its end must not take the key away. */
const NAME: Kind = { ...TEXT, isSound: (value) => typeof value === 'string' };
const TENANT: Kind = { ...TEXT, isSound: isTenantId };
const COUNT: Kind = {
  read: toNumber,
  write: (value) => value as number,
  isSound: (value) => Number.isSafeInteger(value),
};
const TIME: Kind = {
  read: (stored) => new Date(toNumber(stored)),
  write: (value) => (value as Date).getTime(),
  isSound: (value) => types.isDate(value) && !Number.isNaN(value.getTime()),
};
const OBJECT: Kind = {
  read: fromJson,
  write: (value) => JSON.stringify(value),
  isSound: (value) => typeof value === 'object' && value !== null && !Array.isArray(value),
};

const COLUMNS: Readonly<Record<Field, Column>> = {
  id: required('id', TEXT),
  locator: required('locator', TEXT),
  tenantId: required('tenant_id', TENANT),
  name: required('name', NAME),
  digest: required('digest', TEXT),
  digestVersion: required('digest_version', TEXT),
  scopes: required('scopes', listOf(isScope)),
  paths: optional('paths', listOf(isPathGrant)),
  environment: required('environment', TEXT),
  allowedIps: optional('allowed_ips', listOf(isText)),
  createdAt: required('created_at', TIME),
  notBefore: optional('not_before', TIME),
  expiresAt: optional('expires_at', TIME),
  revokedAt: optional('revoked_at', TIME),
  rotatedTo: optional('rotated_to', TEXT),
  graceEndsAt: optional('grace_ends_at', TIME),
  lineageId: required('lineage_id', TEXT),
  lastUsedAt: optional('last_used_at', TIME),
  metadata: optional('metadata', OBJECT),
  version: required('version', COUNT),
};

/** The fields in the order of the columns in {@link columnsOf}. */
export const FIELDS = Object.keys(COLUMNS) as readonly Field[];

/** Column names, for SQL. */
export function columnsOf(fields: readonly Field[]): readonly string[] {
  return fields.map((field) => COLUMNS[field].column);
}

/**
 * The fields of a record as columns hold them.
 * @throws Error for a value that could not be read again: a date that is no date would be stored as no limit
 */
export function toColumns(record: ApiKeyRecord, fields: readonly Field[]): SqlValue[] {
  return fields.map((field) => {
    const { column, write } = COLUMNS[field];
    const value: unknown = record[field];
    if (!isSoundIn(field, value))
      throw new Error(`Keyfence: what is to be written to the column ${column} is not sound`);
    return value === undefined || value === null ? null : write(value);
  });
}

/** A time as a column holds it. @throws Error for a date that is no date */
export function toTime(date: Date): number {
  if (!TIME.isSound(date)) throw new Error('Keyfence: a date that is no date cannot be stored or compared with');
  return date.getTime();
}

/** A row as a record, unchecked: verification checks what it reads. What is malformed is never absent in it. */
export function readRow(row: SqlRow): ApiKeyRecord {
  const entries = FIELDS.map((field) => {
    const { column, read } = COLUMNS[field];
    const stored = row[column];
    return [field, stored === null || stored === undefined ? undefined : read(stored)] as const;
  });
  return Object.fromEntries(entries) as unknown as ApiKeyRecord;
}

/** A row as a record. @throws Error that names the column, for one that is malformed */
export function readSoundRow(row: SqlRow): ApiKeyRecord {
  const record = readRow(row);
  const unsound = FIELDS.find((field) => !isSoundIn(field, record[field])) ?? unpaired(record);
  if (unsound !== undefined) {
    throw new Error(`Keyfence: the column ${COLUMNS[unsound].column} of the key '${record.id}' is malformed`);
  }
  return record;
}

function isSoundIn(field: Field, value: unknown): boolean {
  const { optional: mayLack, isSound } = COLUMNS[field];
  return value === undefined || value === null ? mayLack : isSound(value);
}

/** A key that was replaced has an end, or it would live on. */
function unpaired({ rotatedTo, graceEndsAt }: ApiKeyRecord): Field | undefined {
  return (rotatedTo === undefined) === (graceEndsAt === undefined) ? undefined : 'graceEndsAt';
}

function required(column: string, kind: Kind): Column {
  return { ...kind, column, optional: false };
}

function optional(column: string, kind: Kind): Column {
  return { ...kind, column, optional: true };
}

function listOf(isItem: (item: unknown) => boolean): Kind {
  return {
    read: fromJson,
    write: (value) => JSON.stringify(value),
    // Not `every`, which passes over holes.
    isSound: (value) => Array.isArray(value) && !Array.from<unknown>(value).some((item) => !isItem(item)),
  };
}

function isText(value: unknown): boolean {
  return typeof value === 'string' && value !== '';
}

function asIs(stored: unknown): unknown {
  return stored;
}

/**
 * JSON's `null` must not pass for "not set", nor the bytes of a BLOB for an object: what is no text of JSON becomes something
 * that is neither a list nor an object.
 */
function fromJson(stored: unknown): unknown {
  if (typeof stored !== 'string') return Number.NaN;
  try {
    return (JSON.parse(stored) as unknown) ?? Number.NaN;
  } catch {
    return Number.NaN;
  }
}

function toNumber(stored: unknown): number {
  return typeof stored === 'number' || typeof stored === 'bigint' ? Number(stored) : Number.NaN;
}
