import { describe, expect, it } from '@jest/globals';
import { openDatabaseFile } from '../../../src/stores/sqlite/database-file.js';
import { migrate } from '../../../src/stores/sqlite/migrate.js';
import { SqliteApiKeyStore } from '../../../src/stores/sqlite/index.js';
import {
  loadSqliteDriver,
  type SqliteConnection,
  type SqliteDriverName,
} from '../../../src/stores/sqlite/sqlite-driver.js';
import { sampleKey } from '../../support/sample-key.js';
import { DRIVERS, sqliteFilesForThisFile } from './sqlite-here.js';

/** A connection that writes down what it is asked. */
function watched(connection: SqliteConnection, asked: string[]): SqliteConnection {
  return {
    prepare(sql) {
      asked.push('prepare');
      const statement = connection.prepare(sql);
      const note = (): void => {
        asked.push(sql.trim().split(/\s/, 1).join(''));
      };
      return {
        all(...values) {
          note();
          return statement.all(...values);
        },
        run(...values) {
          note();
          return statement.run(...values);
        },
      };
    },
    exec(sql) {
      asked.push(sql);
      connection.exec(sql);
    },
    close() {
      connection.close();
    },
  };
}

describe.each(DRIVERS)('what the store asks of %s', (driver) => {
  const files = sqliteFilesForThisFile();

  async function connect(name: SqliteDriverName): Promise<SqliteConnection> {
    const file = { path: files.fresh(), create: true, where: 'test', open: await loadSqliteDriver(name) };
    return openDatabaseFile(file, (connection) => {
      migrate(connection, 'test');
    });
  }

  async function watchedStore() {
    const asked: string[] = [];
    const connection = await connect(driver);
    const store = new SqliteApiKeyStore(watched(connection, asked), false);
    expect(new Set(asked)).toEqual(new Set(['prepare']));
    const during = async (work: () => Promise<unknown>): Promise<string[]> => {
      asked.length = 0;
      await work();
      return [...asked];
    };
    return { store, during, connection };
  }

  it('is one statement, or one transaction, and nothing is prepared twice', async () => {
    const { store, during } = await watchedStore();
    const keys = Array.from({ length: 1_000 }, () => sampleKey().record);
    const [record = sampleKey().record] = keys;
    const { tenantId, id, locator } = record;
    for (const key of keys.slice(1)) await store.insert(key);

    expect(await during(() => store.insert(record))).toEqual(['INSERT']);
    expect(await during(() => store.findByLocator(locator))).toEqual(['SELECT']);
    expect(await during(() => store.findByLocator('unknown'))).toEqual(['SELECT']);
    expect(await during(() => store.findById(tenantId, id))).toEqual(['SELECT']);
    expect(await during(() => store.list(tenantId, { limit: 200, includeRevoked: true }))).toEqual(['SELECT']);
    expect(await during(() => store.update({ ...record, version: 2 }))).toEqual(['UPDATE']);
    const uses = keys.map((key) => ({ id: key.id, at: new Date(1_000) }));
    expect(await during(() => store.recordUses(uses))).toEqual(['UPDATE']);
    const page = await store.list(tenantId, { limit: 200, includeRevoked: true });
    expect(page.items.map(({ lastUsedAt }) => lastUsedAt)).toEqual(page.items.map(() => new Date(1_000)));
    expect(await during(() => store.recordUses([]))).toEqual([]);
    const changes = keys.slice(0, 2).map((key) => ({ id: key.id, from: key.digest, digest: 'f', digestVersion: 'v' }));
    expect(await during(() => store.replaceDigests(changes))).toEqual([
      'BEGIN IMMEDIATE',
      'UPDATE',
      'UPDATE',
      'COMMIT',
    ]);
    expect(await during(() => store.replaceDigests([]))).toEqual([]);

    const { record: successor } = sampleKey();
    const old = { ...record, rotatedTo: successor.id, graceEndsAt: new Date(0), version: 3 };
    const stale = { ...old, version: 9 };
    expect(await during(() => store.rotate(stale, successor))).toEqual(['BEGIN IMMEDIATE', 'UPDATE', 'ROLLBACK']);
    expect(await during(() => store.rotate(old, successor))).toEqual(['BEGIN IMMEDIATE', 'UPDATE', 'INSERT', 'COMMIT']);
    expect(await during(() => store.revoke(tenantId, id, new Date(0)))).toEqual(['UPDATE']);
    expect(await during(() => store.prune(new Date(1), 10))).toEqual(['DELETE']);
    expect(await store.findById(tenantId, id)).toBeNull();
    store.close();
  });

  it('is in a file with a write-ahead log, is written to the disk at every commit, and waits for another writer', async () => {
    const connection = await connect(driver);
    const ask = (sql: string): unknown => Object.values(connection.prepare(sql).all()[0] ?? {})[0];
    expect(ask('PRAGMA journal_mode')).toBe('wal');
    // 2 is FULL.
    expect(Number(ask('PRAGMA synchronous'))).toBe(2);
    expect(Number(ask('PRAGMA busy_timeout'))).toBe(2_000);
    expect(Number(ask('PRAGMA trusted_schema'))).toBe(0);
    connection.close();
  });

  it.each([
    ['locator = ?', /SEARCH .*keyfence_api_keys_locator/],
    ['id = ?', /SEARCH .*sqlite_autoindex_keyfence_api_keys_1/],
    ['tenant_id = ? AND (created_at, id) > (1, 2) ORDER BY created_at, id', /SEARCH .*keyfence_api_keys_tenant/],
  ])('is found by an index: %s', async (condition, plan) => {
    const connection = await connect(driver);
    const rows = connection.prepare(`EXPLAIN QUERY PLAN SELECT * FROM keyfence_api_keys WHERE ${condition}`).all('x');
    const steps = rows.map(({ detail }) => String(detail));
    expect(steps.join('\n')).toMatch(plan);
    expect(steps.join('\n')).not.toMatch(/SCAN|TEMP B-TREE/);
    connection.close();
  });

  it('is found by an index also when keys are pruned or used', async () => {
    const asked: string[] = [];
    const connection = await connect(driver);
    const plans = new Map<string, string>();
    const explaining: SqliteConnection = {
      ...connection,
      prepare(sql) {
        const parameters = [...sql.matchAll(/\?/g)].map(() => '[]');
        const rows = connection.prepare(`EXPLAIN QUERY PLAN ${sql}`).all(...parameters);
        plans.set(sql, rows.map(({ detail }) => String(detail)).join('\n'));
        return connection.prepare(sql);
      },
    };
    new SqliteApiKeyStore(watched(explaining, asked), false).close();
    expect(plans.size).toBe(asked.length);
    const ofStatement = (start: string): string => [...plans].find(([sql]) => sql.includes(start))?.[1] ?? '';
    for (const index of ['revoked', 'expires', 'grace']) {
      expect(ofStatement('DELETE')).toContain(`keyfence_api_keys_${index}`);
    }
    expect([...plans.values()].join('\n')).not.toMatch(/SCAN (?:TABLE )?keyfence_api_keys/);
    expect(ofStatement('json_each')).toMatch(/SEARCH .*keyfence_api_keys/);
  });
});
