import { sqlStateOf } from './postgres-pool.js';

/** What to do about an error that is a mistake of the set-up, and `undefined` for any other. */
export function cureOf(error: unknown, table: string): string | undefined {
  switch (sqlStateOf(error)) {
    case '3F000':
      return `The schema of ${table} is missing: create it, or correct the option schema.`;
    case '42P01':
    case '42703':
      return `The table ${table} is missing or of an older version: call await store.migrate() as a role that may create tables, or run the sql of POSTGRES_MIGRATIONS.`;
    case '42501':
      return `The role may not use ${table}: grant select, insert, update, delete on ${table} to it, select on its table of migrations, and usage on its schema.`;
    default:
      return undefined;
  }
}

/** A statement that lost against another one and was undone as a whole: a serialization failure, or a deadlock. */
export function isTransient(error: unknown): boolean {
  const state = sqlStateOf(error);
  return state === '40001' || state === '40P01';
}
