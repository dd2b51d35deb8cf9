import { KeyfenceConfigurationError } from '../../errors/configuration.error.js';

/** The drivers that are looked for, in this order. All of them are synchronous. */
export type SqliteDriverName = 'node:sqlite' | 'better-sqlite3' | 'libsql';

export type SqlValue = string | number | null;
export type SqlRow = Readonly<Record<string, unknown>>;

/** What the store uses of a driver. */
export interface SqliteConnection {
  prepare(sql: string): SqliteStatement;
  /** Runs statements that have no parameters and whose rows nobody wants. */
  exec(sql: string): void;
  close(): void;
}

export interface SqliteStatement {
  /** For a statement that returns rows. Integers may come as `bigint`. */
  all(...values: readonly SqlValue[]): readonly SqlRow[];
  /** For a statement that returns none. @returns how many rows it changed */
  run(...values: readonly SqlValue[]): number;
}

/** @param path absolute, or `:memory:` */
export type OpenSqlite = (path: string) => SqliteConnection;

/** What the three have in common. */
type Driver = new (path: string) => {
  prepare(sql: string): {
    all(...values: readonly SqlValue[]): unknown[];
    run(...values: readonly SqlValue[]): { readonly changes: number | bigint };
    setReadBigInts?(read: boolean): void;
  };
  exec(sql: string): unknown;
  close(): unknown;
};

const DRIVERS: Readonly<Record<SqliteDriverName, () => Promise<unknown>>> = {
  // Not an import: that would fail where Node has no such module. It is not there, either, where it needs a flag.
  'node:sqlite': () =>
    Promise.resolve((process.getBuiltinModule('node:sqlite') as { DatabaseSync?: unknown } | undefined)?.DatabaseSync),
  'better-sqlite3': async () => (await import('better-sqlite3')).default,
  libsql: async () => (await import('libsql')).default,
};

/**
 * Loads a driver: the one that is named, or the first that works.
 * @throws KeyfenceConfigurationError if there is none, with what to install
 */
export async function loadSqliteDriver(name?: SqliteDriverName): Promise<OpenSqlite> {
  if (name !== undefined && !Object.hasOwn(DRIVERS, name)) {
    throw new KeyfenceConfigurationError(
      'SqliteApiKeyStore.open(path, { driver })',
      `is '${name}'`,
      `Give one of ${Object.keys(DRIVERS).join(', ')}, or leave it out.`,
    );
  }
  const problems: string[] = [];
  for (const candidate of name === undefined ? (Object.keys(DRIVERS) as SqliteDriverName[]) : [name]) {
    const loaded = await tryDriver(candidate);
    if (typeof loaded === 'function') return loaded;
    problems.push(`${candidate}: ${loaded}`);
  }
  throw new KeyfenceConfigurationError(
    'SqliteApiKeyStore',
    `finds no SQLite driver that works (${problems.join('; ')})`,
    'Use Node 22.13 or later, or install one: npm install better-sqlite3 (or: npm install libsql).',
  );
}

/** A driver, or why it cannot be used. */
async function tryDriver(name: SqliteDriverName): Promise<OpenSqlite | string> {
  try {
    const loaded = await DRIVERS[name]();
    if (typeof loaded !== 'function') return `not in Node ${process.versions.node} without a flag`;
    const Database = loaded as unknown as Driver;
    // A package can be there without its native part: only opening a database shows it.
    new Database(':memory:').close();
    return (path) => connect(Database, path);
  } catch (error) {
    return (error instanceof Error ? error.message : String(error)).split('\n', 1).join('');
  }
}

function connect(Database: Driver, path: string): SqliteConnection {
  const database = new Database(path);
  return {
    prepare(sql) {
      const statement = database.prepare(sql);
      // Otherwise node:sqlite throws for an integer that is no safe number, and nobody learns which column has it.
      statement.setReadBigInts?.(true);
      return {
        // There is no `get` of a driver here: libsql's leaves the statement open, and then no transaction can be committed.
        all: (...values) => statement.all(...values) as SqlRow[],
        run: (...values) => Number(statement.run(...values).changes),
      };
    },
    exec(sql) {
      database.exec(sql);
    },
    close() {
      database.close();
    },
  };
}

/** Whether the error says that another connection holds the lock. */
export function isBusy(error: unknown): boolean {
  if (typeof error !== 'object' || error === null) return false;
  const { code, rawCode, errcode } = error as { code?: unknown; rawCode?: unknown; errcode?: unknown };
  const number = errcode ?? rawCode;
  return typeof number === 'number'
    ? (number & PRIMARY_CODE) === SQLITE_BUSY
    : typeof code === 'string' && code.startsWith('SQLITE_BUSY');
}

/** The rest of an extended result code says more closely what it is. */
const PRIMARY_CODE = 0xff;
const SQLITE_BUSY = 5;
