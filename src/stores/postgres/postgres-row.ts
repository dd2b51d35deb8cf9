import type { ApiKeyRecord } from '../../api-key/api-key-record.js';
import { fromTime, selectTime, toTimestamp } from './postgres-time.js';

type ColumnType = 'text' | 'text[]' | 'timestamptz' | 'json' | 'integer';

interface Column {
  readonly name: string;
  readonly type: ColumnType;
}

const COLUMNS: Readonly<Record<keyof ApiKeyRecord, Column>> = {
  id: { name: 'id', type: 'text' },
  locator: { name: 'locator', type: 'text' },
  tenantId: { name: 'tenant_id', type: 'text' },
  name: { name: 'name', type: 'text' },
  digest: { name: 'digest', type: 'text' },
  digestVersion: { name: 'digest_version', type: 'text' },
  scopes: { name: 'scopes', type: 'text[]' },
  paths: { name: 'paths', type: 'text[]' },
  environment: { name: 'environment', type: 'text' },
  allowedIps: { name: 'allowed_ips', type: 'text[]' },
  createdAt: { name: 'created_at', type: 'timestamptz' },
  notBefore: { name: 'not_before', type: 'timestamptz' },
  expiresAt: { name: 'expires_at', type: 'timestamptz' },
  revokedAt: { name: 'revoked_at', type: 'timestamptz' },
  rotatedTo: { name: 'rotated_to', type: 'text' },
  graceEndsAt: { name: 'grace_ends_at', type: 'timestamptz' },
  lineageId: { name: 'lineage_id', type: 'text' },
  lastUsedAt: { name: 'last_used_at', type: 'timestamptz' },
  metadata: { name: 'metadata', type: 'json' },
  version: { name: 'version', type: 'integer' },
};

type Field = keyof ApiKeyRecord;

const FIELDS = Object.keys(COLUMNS) as readonly Field[];

/** The names of all columns, for an insert. */
export const COLUMN_NAMES = FIELDS.map((field) => COLUMNS[field].name).join(', ');

/**
 * What {@link fromRow} reads. All of it is text, which no driver changes: what it makes of dates and lists depends on the
 * parsers that the application has set.
 */
export const SELECTED = FIELDS.map((field) => `${select(COLUMNS[field])} as "${field}"`).join(', ');

/** Collects the values of a statement and gives what stands for them in it. */
export class Parameters {
  readonly values: unknown[] = [];

  /** @returns such as `$1::text` */
  add(type: ColumnType | `${ColumnType}[]` | 'bigint', value: unknown): string {
    return `$${this.values.push(value)}::${type}`;
  }

  text(value: string): string {
    return this.add('text', value);
  }

  time(value: Date): string {
    return this.add('timestamptz', toTimestamp(value));
  }

  /** All fields of a record, in the order of {@link COLUMN_NAMES}. */
  record(record: ApiKeyRecord): string {
    return FIELDS.map((field) => this.field(record, field)).join(', ');
  }

  /** Such as `name = $1::text, paths = $2::text[]`. */
  assignments(record: ApiKeyRecord, fields: readonly Field[]): string {
    return fields.map((field) => `${COLUMNS[field].name} = ${this.field(record, field)}`).join(', ');
  }

  field(record: ApiKeyRecord, field: Field): string {
    const { type } = COLUMNS[field];
    return this.add(type, toValue(type, record[field]));
  }
}

/**
 * A row of {@link SELECTED} as a record: a field is absent only where its column is null.
 * @throws Error for a row without one of the columns, such as a driver makes that renames them: it is not "no limit"
 */
export function fromRow(row: object): ApiKeyRecord {
  const columns = row as Readonly<Record<string, unknown>>;
  const missing = FIELDS.find((field) => columns[field] === undefined);
  if (missing !== undefined) throw new Error(`PostgresApiKeyStore: the driver gave a row without "${missing}".`);
  const present = FIELDS.filter((field) => columns[field] !== null);
  const entries = present.map((field) => [field, toField(COLUMNS[field].type, columns[field])] as const);
  // Verification reads every record anew, and refuses one that is not sound.
  return Object.fromEntries(entries) as unknown as ApiKeyRecord;
}

function select({ name, type }: Column): string {
  if (type === 'text') return name;
  if (type === 'text[]') return `to_json(${name})::text`;
  return type === 'timestamptz' ? selectTime(name) : `${name}::text`;
}

function toValue(type: ColumnType, value: ApiKeyRecord[Field]): unknown {
  if (value === undefined) return null;
  if (type === 'json') return JSON.stringify(value);
  return type === 'timestamptz' ? toTimestamp(value as Date) : value;
}

function toField(type: ColumnType, value: unknown): unknown {
  if (type === 'timestamptz') return fromTime(value);
  if (type === 'integer') return Number(value);
  return type === 'text' ? value : parseJson(value);
}

/** What cannot be read stays what it is: a text in the place of a list or an object, which verification refuses. */
function parseJson(value: unknown): unknown {
  try {
    return JSON.parse(value as string) ?? value;
  } catch {
    return value;
  }
}
