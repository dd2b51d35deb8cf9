import { KeyfenceConfigurationError } from '../../errors/configuration.error.js';

/** Where the keys are kept. */
export interface PostgresTableOptions {
  /** @default 'keyfence_api_keys' */
  readonly table?: string;
  /** It must exist. @default what the connection's `search_path` finds first */
  readonly schema?: string;
}

/** The names of one store, quoted: they can stand in a statement as they are. */
export interface PostgresTable {
  /** The table itself, for messages. */
  readonly name: string;
  readonly keys: string;
  readonly migrations: string;
  /** A name for an index or a constraint of the table; its schema is the table's. */
  readonly named: (suffix: string) => string;
}

const DEFAULT_TABLE = 'keyfence_api_keys';
/** PostgreSQL cuts longer names silently, so that two of them may become one; indexes get a suffix of 20 at most. */
const MAX_TABLE_LENGTH = 43;
const MAX_NAME_LENGTH = 63;

/** @throws KeyfenceConfigurationError for a name that is no plain identifier */
export function parsePostgresTable(options: PostgresTableOptions = {}): PostgresTable {
  const { table = DEFAULT_TABLE, schema } = options;
  const name = parseIdentifier('PostgresApiKeyStore: table', table, MAX_TABLE_LENGTH);
  const prefix =
    schema === undefined ? '' : `"${parseIdentifier('PostgresApiKeyStore: schema', schema, MAX_NAME_LENGTH)}".`;
  return {
    name,
    keys: `${prefix}"${name}"`,
    migrations: `${prefix}"${name}_migrations"`,
    named: (suffix) => `"${name}_${suffix}"`,
  };
}

/**
 * A name that is put into a statement, where no parameter can stand.
 * @param option for the message
 * @throws KeyfenceConfigurationError
 */
export function parseIdentifier(option: string, value: unknown, maxLength = MAX_NAME_LENGTH): string {
  if (typeof value === 'string' && value.length <= maxLength && /^[A-Za-z_][A-Za-z0-9_]*$/.test(value)) return value;
  throw new KeyfenceConfigurationError(
    option,
    'is not a plain name',
    `Rule: 1 to ${maxLength} characters of A-Z, a-z, 0-9 and "_", the first no digit. Upper and lower case are kept.`,
  );
}
