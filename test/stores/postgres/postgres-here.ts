import { randomBytes } from 'node:crypto';
import { afterAll, describe } from '@jest/globals';
import type pg from 'pg';
import { startPostgres, type TestDatabase, type TestPostgres } from '../../support/postgres.js';

/** A server for the file that calls this, or `undefined`; it ends with the file. */
export async function postgresForThisFile(): Promise<TestPostgres | undefined> {
  const server = await startPostgres();
  afterAll(() => server?.dispose());
  return server;
}

/** `describe`, or `describe.skip` where there is no server. */
export function describeWith(server: TestPostgres | undefined): typeof describe | typeof describe.skip {
  return server === undefined ? describe.skip : describe;
}

/** A database, in a test that runs only where there is a server. */
export function freshDatabase(server: TestPostgres | undefined): Promise<TestDatabase> {
  if (server === undefined) throw new Error('There is no server.');
  return server.createDatabase();
}

/** A table name that nothing else in the database has. */
export function freshTable(): string {
  return `keys_${randomBytes(6).toString('hex')}`;
}

/** One column of the rows of a statement. */
export async function columnOf(pool: pg.Pool, text: string, values: unknown[] = []): Promise<unknown[]> {
  const { rows } = await pool.query<unknown[]>({ text, values, rowMode: 'array' });
  return rows.map(([value]) => value);
}

/** Polls until it is so, or fails: for what a real server does in its own time. */
export async function until(
  what: string,
  holds: () => boolean | Promise<boolean>,
  milliseconds = 20_000,
): Promise<void> {
  const deadline = Date.now() + milliseconds;
  while (!(await holds())) {
    if (Date.now() > deadline) throw new Error(`Not within ${milliseconds} ms: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
