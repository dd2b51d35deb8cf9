import { columnsOf, FIELDS } from './key-row.js';
import type { SqliteConnection, SqliteStatement } from './sqlite-driver.js';

const TABLE = 'keyfence_api_keys';
const ALL = columnsOf(FIELDS).join(', ');
const ANY = columnsOf(FIELDS)
  .map(() => '?')
  .join(', ');

/** What `update` writes. */
export const UPDATED = [
  'name',
  'scopes',
  'paths',
  'allowedIps',
  'notBefore',
  'expiresAt',
  'metadata',
  'version',
] as const;
/** What `rotate` writes of the old key. */
export const ROTATED = ['rotatedTo', 'graceEndsAt', 'version'] as const;

/** That nobody has changed the record since it was read. The parameters: id, tenant and the version that is written. */
const UNCHANGED = 'id = ? AND tenant_id = ? AND version = ? - 1 AND revoked_at IS NULL AND rotated_to IS NULL';

const SQL = {
  findByLocator: `SELECT ${ALL} FROM ${TABLE} WHERE locator = ?`,

  findById: `SELECT ${ALL} FROM ${TABLE} WHERE tenant_id = ? AND id = ?`,

  // Only a taken id or locator is passed over; any other fault is an error.
  insert: `INSERT INTO ${TABLE} (${ALL}) VALUES (${ANY}) ON CONFLICT DO NOTHING`,

  list: `SELECT ${ALL} FROM ${TABLE}
    WHERE tenant_id = ? AND (created_at, id) > (?, ?)
      AND (? OR revoked_at IS NULL) AND created_at < ? AND coalesce(last_used_at, created_at) < ?
    ORDER BY created_at, id LIMIT ?`,

  revoke: `UPDATE ${TABLE} SET revoked_at = ?, version = version + 1
    WHERE tenant_id = ? AND id = ? AND revoked_at IS NULL RETURNING ${ALL}`,

  update: `UPDATE ${TABLE} SET ${assign(columnsOf(UPDATED))} WHERE ${UNCHANGED}`,

  replace: `UPDATE ${TABLE} SET ${assign(columnsOf(ROTATED))} WHERE ${UNCHANGED}`,

  // One statement for all: the parameter is JSON, a list of [id, time].
  recordUses: `UPDATE ${TABLE} SET last_used_at = used.at
    FROM (
      SELECT json_extract(value, '$[0]') AS id, max(json_extract(value, '$[1]')) AS at FROM json_each(?) GROUP BY 1
    ) AS used
    WHERE ${TABLE}.id = used.id AND (last_used_at IS NULL OR last_used_at < used.at)`,

  replaceDigest: `UPDATE ${TABLE} SET digest = ?, digest_version = ? WHERE id = ? AND digest = ?`,

  prune: `DELETE FROM ${TABLE} WHERE id IN (
    SELECT id FROM ${TABLE} WHERE revoked_at < ? OR expires_at < ? OR grace_ends_at < ? LIMIT ?
  )`,
} as const;

export type Statements = Readonly<Record<keyof typeof SQL, SqliteStatement>>;

/** Every statement of the store, prepared once. */
export function prepareStatements(connection: SqliteConnection): Statements {
  const entries = Object.entries(SQL).map(([name, sql]) => [name, connection.prepare(sql)] as const);
  return Object.fromEntries(entries) as Record<keyof typeof SQL, SqliteStatement>;
}

function assign(columns: readonly string[]): string {
  return columns.map((column) => `${column} = ?`).join(', ');
}
