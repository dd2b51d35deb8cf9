import { KeyfenceConfigurationError } from '../../errors/configuration.error.js';
import { SQLITE_MIGRATIONS, type SqliteMigration } from './migrations.js';
import type { SqliteConnection } from './sqlite-driver.js';
import { inTransaction } from './transaction.js';

/**
 * Brings the schema to the version that this release knows. Of two processes that do it at the same time one waits for the
 * other, and finds nothing to do.
 * @throws KeyfenceConfigurationError for a schema that is newer than this release
 */
export function migrate(connection: SqliteConnection, where: string): void {
  // Looked at first without the lock: a process that starts should not wait for one that writes.
  if (missing(connection, where).length === 0) return;
  inTransaction(connection, () => {
    for (const { sql } of missing(connection, where)) connection.exec(sql);
    return true;
  });
}

/** @throws KeyfenceConfigurationError for a schema that is not of the version that this release knows */
export function requireSchema(connection: SqliteConnection, where: string): void {
  const steps = missing(connection, where).map(({ version }) => version);
  if (steps.length === 0) return;
  throw new KeyfenceConfigurationError(
    where,
    `lacks the migrations: ${steps.join(', ')}`,
    'Run their SQL, which SQLITE_MIGRATIONS holds, or open the file once without migrate: false.',
  );
}

function missing(connection: SqliteConnection, where: string): readonly SqliteMigration[] {
  const version = schemaVersion(connection);
  const known = SQLITE_MIGRATIONS.at(-1)?.version ?? 0;
  if (version > known) {
    throw new KeyfenceConfigurationError(
      where,
      `has schema version ${version}, and this release of nestjs-keyfence knows ${known}`,
      'A newer release has used the file: update nestjs-keyfence, or go back to a copy of the file from before.',
    );
  }
  return SQLITE_MIGRATIONS.filter((step) => step.version > version);
}

/** A table of its own and not `user_version`: that one belongs to the application, which may keep its own tables in the file. */
function schemaVersion(connection: SqliteConnection): number {
  const table = "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'keyfence_schema'";
  if (connection.prepare(table).all().length === 0) return 0;
  const [row] = connection.prepare('SELECT max(version) AS version FROM keyfence_schema').all();
  return Number(row?.version ?? 0);
}
