import { createRequire } from 'node:module';
import { notTestedHere } from './engines.js';

export type SqliteDriverName = 'node:sqlite' | 'better-sqlite3' | 'libsql';

/** What the three drivers have in common. */
export interface SqliteDatabase {
  exec(sql: string): unknown;
  prepare(sql: string): SqliteStatement;
  close(): unknown;
}

export interface SqliteStatement {
  run(...parameters: readonly unknown[]): { readonly changes: number | bigint };
  get(...parameters: readonly unknown[]): unknown;
  all(...parameters: readonly unknown[]): unknown[];
}

/** `path` is a file or `:memory:`. */
export type OpenSqlite = (path: string) => SqliteDatabase;

type SqliteConstructor = new (path: string) => SqliteDatabase;

const PACKAGES = ['better-sqlite3', 'libsql'] as const;

/**
 * Every SQLite driver that works here, for `describe.each`: Node's own, from Node 22.13 on, and the packages that are installed.
 * None at all is said loudly, and fails under `KEYFENCE_REQUIRE_ALL=1`.
 */
export function sqliteDriversHere(): (readonly [name: SqliteDriverName, open: OpenSqlite])[] {
  const candidates: (readonly [SqliteDriverName, () => SqliteConstructor])[] = [
    ['node:sqlite', nodeSqlite],
    ...PACKAGES.map((name) => [name, () => installed(name)] as const),
  ];
  const drivers = candidates.flatMap(([name, load]) => {
    const open = working(load);
    return open ? [[name, open] as const] : [];
  });
  if (drivers.length === 0) notTestedHere('what needs SQLite', 'Install "libsql", or use Node 22.13 or later.');
  return drivers;
}

function nodeSqlite(): SqliteConstructor {
  // Not an import: it would fail at once where Node has no such module.
  const module = process.getBuiltinModule('node:sqlite') as unknown as { DatabaseSync: SqliteConstructor };
  return module.DatabaseSync;
}

function installed(name: string): SqliteConstructor {
  return createRequire(import.meta.url)(name) as SqliteConstructor;
}

/** A package can be installed without its native part: only opening a database shows it. */
function working(load: () => SqliteConstructor): OpenSqlite | undefined {
  try {
    const Database = load();
    new Database(':memory:').close();
    return (path) => new Database(path);
  } catch {
    return undefined;
  }
}
