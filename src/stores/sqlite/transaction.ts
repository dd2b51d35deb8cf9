import type { SqliteConnection } from './sqlite-driver.js';

/**
 * Runs the work as one transaction that takes the write lock at its start, so that what it reads stays true until it ends.
 * @param work answers whether to keep what it wrote
 * @returns that answer
 */
export function inTransaction(connection: SqliteConnection, work: () => boolean): boolean {
  connection.exec('BEGIN IMMEDIATE');
  try {
    const keep = work();
    connection.exec(keep ? 'COMMIT' : 'ROLLBACK');
    return keep;
  } catch (error) {
    try {
      connection.exec('ROLLBACK');
    } catch {
      // Some errors have ended it already; the first error is the one to tell.
    }
    throw error;
  }
}
