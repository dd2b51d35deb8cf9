import { KeyfenceConfigurationError } from '../../errors/configuration.error.js';
import { migrationsFor } from './postgres-migrations.js';
import type { PostgresClient, PostgresPool } from './postgres-pool.js';
import type { PostgresTable } from './postgres-table.js';

/** Any number that no other program takes: one migration at a time in a database. */
const ADVISORY_LOCK = 7_521_962_890_101;

/**
 * Applies the migrations that are missing, all or none, and waits for another process that does the same.
 * @returns the versions that were applied
 * @throws KeyfenceConfigurationError if the schema is newer than this package
 */
export async function migratePostgres(pool: PostgresPool, table: PostgresTable): Promise<number[]> {
  const client = await pool.connect();
  // Without a listener a connection that breaks between two statements would end the process.
  const ignore = (): void => undefined;
  client.on('error', ignore);
  try {
    await client.query({ text: 'begin' });
    await client.query({ text: 'select pg_advisory_xact_lock($1)', values: [ADVISORY_LOCK] });
    const applied = await applyMissing(client, table);
    await client.query({ text: 'commit' });
    client.removeListener('error', ignore);
    client.release();
    return applied;
  } catch (error) {
    // Closing the connection rolls back, also where a statement no longer would.
    client.release(true);
    throw error;
  }
}

/** The version of the schema: 0 if there is none. One round trip, or two. */
export async function postgresSchemaVersion(
  database: Pick<PostgresPool, 'query'>,
  { migrations }: PostgresTable,
): Promise<number> {
  const found = await database.query({ text: 'select to_regclass($1) is not null as found', values: [migrations] });
  if (!isTrue(found.rows[0], 'found')) return 0;
  const { rows } = await database.query({ text: `select max(version)::text as version from ${migrations}` });
  const version = rows[0] !== undefined && 'version' in rows[0] ? rows[0].version : undefined;
  return Number(version ?? 0);
}

/** @throws KeyfenceConfigurationError that says what to do, unless the schema is the one that this package needs */
export function requireVersion(version: number, table: PostgresTable): void {
  const needed = latest(table);
  if (version > needed) throw newerSchema(version, table);
  if (version === needed) return;
  throw new KeyfenceConfigurationError(
    `PostgresApiKeyStore: the table ${table.keys}`,
    version === 0 ? 'is missing' : `has version ${version} of the schema, and ${needed} is needed`,
    'Call await store.migrate() as a role that may create tables, or run the sql of POSTGRES_MIGRATIONS.',
  );
}

async function applyMissing(client: PostgresClient, table: PostgresTable): Promise<number[]> {
  const version = await postgresSchemaVersion(client, table);
  if (version > latest(table)) throw newerSchema(version, table);
  const missing = migrationsFor(table).filter((migration) => migration.version > version);
  for (const { sql } of missing) await client.query({ text: sql });
  return missing.map((migration) => migration.version);
}

function latest(table: PostgresTable): number {
  return migrationsFor(table).length;
}

function newerSchema(version: number, table: PostgresTable): KeyfenceConfigurationError {
  return new KeyfenceConfigurationError(
    `PostgresApiKeyStore: the table ${table.keys}`,
    `has version ${version} of the schema, and this nestjs-keyfence knows ${latest(table)}`,
    'Update nestjs-keyfence in this application.',
  );
}

function isTrue(row: object | undefined, column: string): boolean {
  const value: unknown = Object.entries(row ?? {}).find(([name]) => name === column)?.[1];
  return value === true || value === 't';
}
