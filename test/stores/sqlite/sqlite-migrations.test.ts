import { readFileSync } from 'node:fs';
import { describe, expect, it } from '@jest/globals';
import { readRecord } from '../../../src/api-key/api-key-record.js';
import { readKey } from '../../../src/api-key/api-key-format.js';
import { KeyDigester } from '../../../src/api-key/key-digest.js';
import type { TenantId } from '../../../src/principal/tenant-id.js';
import { SQLITE_MIGRATIONS, SqliteApiKeyStore } from '../../../src/stores/sqlite/index.js';
import type { SqliteDatabase } from '../../support/sqlite.js';
import { FORMAT } from '../../support/sample-key.js';
import { byHand, DRIVERS, sqliteFilesForThisFile } from './sqlite-here.js';

const V1 = readFileSync(new URL('./fixtures/v1.sql', import.meta.url), 'utf8');
const LATEST = SQLITE_MIGRATIONS.length;
const ACME = 'acme' as TenantId;
const GLOBEX = 'globex' as TenantId;

/** The key texts that a fixture names in its comments, by what they are. */
function keysIn(fixture: string): Map<string, string> {
  return new Map([...fixture.matchAll(/^-- (\w+): (kflive_\w+)$/gm)].map(([, label = '', text = '']) => [label, text]));
}

/** How the tables and indices of a database were declared. */
function schemaOf(database: SqliteDatabase): unknown[] {
  const rows = database.prepare('SELECT sql FROM sqlite_master WHERE sql IS NOT NULL ORDER BY name').all();
  return rows.map((row) => (row as { sql: string }).sql);
}

describe.each(DRIVERS)('the schema, with %s', (driver, openByHand) => {
  const files = sqliteFilesForThisFile();
  const freshWith = (...sql: readonly string[]): string => {
    const path = files.fresh();
    byHand(openByHand, path, (database) => {
      for (const text of sql) database.exec(text);
    });
    return path;
  };
  const open = (path: string, migrate?: boolean): Promise<SqliteApiKeyStore> => files.open(path, { driver, migrate });

  it('has steps without gaps from 1 on, each of which records its version', () => {
    expect(SQLITE_MIGRATIONS.map(({ version }) => version)).toEqual(SQLITE_MIGRATIONS.map((_, index) => index + 1));
    byHand(openByHand, ':memory:', (database) => {
      for (const { version, sql } of SQLITE_MIGRATIONS) {
        database.exec(sql);
        const rows = database.prepare('SELECT max(version) AS version FROM keyfence_schema').all();
        expect(rows).toMatchObject([{ version }]);
      }
    });
  });

  it('of version 1 is what the fixture has: a step that was released is never changed', () => {
    const [first] = SQLITE_MIGRATIONS;
    const released = byHand(openByHand, ':memory:', (database) => {
      database.exec(V1);
      return schemaOf(database);
    });
    const made = byHand(openByHand, ':memory:', (database) => {
      database.exec(first?.sql ?? '');
      return schemaOf(database);
    });
    expect(made).toEqual(released);
    expect(released.length).toBeGreaterThan(5);
  });

  it('of version 1 is brought up to date with every record as it was', async () => {
    const store = await open(freshWith(V1));
    const keys = keysIn(V1);
    expect([...keys.keys()]).toEqual(['plain', 'full', 'none', 'revoked', 'old', 'successor']);
    const at = (minutes: number): Date => new Date(Date.UTC(2026, 5, 1, 12, minutes, 0, 123));
    const idOf = (label: string): string => `key_${keys.get(label)?.split('_')[1] ?? ''}`;
    const expected = (label: string, fields: object): object => ({
      id: idOf(label),
      tenantId: ACME,
      name: 'sample',
      scopes: ['files:read'],
      environment: 'live',
      digestVersion: 'sha256',
      lineageId: idOf(label),
      version: 1,
      ...fields,
    });

    for (const [label, text] of keys) {
      const parsed = readKey(text, FORMAT, false);
      if (typeof parsed === 'string') throw new Error(`${label}: ${parsed}`);
      const found = readRecord(await store.findByLocator(parsed.locator));
      expect(found?.id).toBe(idOf(label));
      expect(new KeyDigester().matches(text, found?.digest ?? '', found?.digestVersion ?? '')).toBe(true);
    }
    const acme = await store.list(ACME, { limit: 200, includeRevoked: true });
    expect(acme.items).toMatchObject([
      expected('plain', { createdAt: at(0) }),
      expected('none', { createdAt: at(4), paths: [], allowedIps: [], metadata: {} }),
      expected('revoked', { createdAt: at(5), revokedAt: at(8), version: 2 }),
      expected('old', { createdAt: at(6), rotatedTo: idOf('successor'), graceEndsAt: at(1440), version: 2 }),
      expected('successor', { createdAt: at(7), lineageId: idOf('old') }),
    ]);
    const [plain] = acme.items;
    const limits = ['paths', 'allowedIps', 'notBefore', 'expiresAt', 'revokedAt', 'graceEndsAt', 'metadata'] as const;
    for (const limit of limits) expect(plain?.[limit]).toBeUndefined();
    const globex = await store.list(GLOBEX, { limit: 200, includeRevoked: true });
    expect(globex.items).toMatchObject([
      expected('full', {
        tenantId: GLOBEX,
        name: "\u00dcbung \u{1f511} 'q'",
        scopes: ['reports:*', 'files:read'],
        paths: ['in/**', 'out/list.csv'],
        allowedIps: ['2001:db8::/32', '203.0.113.7'],
        createdAt: at(1),
        notBefore: at(2),
        expiresAt: new Date('2999-12-31T23:59:59.999Z'),
        lastUsedAt: at(3),
        metadata: { plan: 'gold', nested: { list: [1, 'two', null] } },
      }),
    ]);
  });

  it('that was run by hand needs nothing more', async () => {
    const path = freshWith(...SQLITE_MIGRATIONS.map(({ sql }) => `BEGIN; ${sql} COMMIT;`));
    const store = await open(path, false);
    expect(await store.findByLocator('unknown')).toBeNull();
  });

  it('is made where it is missing, and not a second time', async () => {
    const path = files.fresh();
    (await open(path)).close();
    (await open(path)).close();
    byHand(openByHand, path, (database) => {
      expect(database.prepare('SELECT version FROM keyfence_schema').all()).toHaveLength(LATEST);
    });
  });

  it('is not made with migrate: false, and the error says what to do', async () => {
    const path = freshWith('CREATE TABLE other (a TEXT)');
    await expect(open(path, false)).rejects.toThrow(/lacks the migrations: 1.*SQLITE_MIGRATIONS/);
    byHand(openByHand, path, (database) => {
      expect(schemaOf(database)).toEqual(['CREATE TABLE other (a TEXT)']);
    });
    expect(await (await open(path)).findByLocator('unknown')).toBeNull();
  });

  it.each([true, false])('of a newer release is refused and left alone (migrate: %s)', async (migrate) => {
    const path = freshWith(V1, `INSERT INTO keyfence_schema (version) VALUES (${LATEST + 1})`);
    const before = byHand(openByHand, path, schemaOf);
    await expect(open(path, migrate)).rejects.toMatchObject({
      code: 'invalid_configuration',
      message: expect.stringMatching(
        new RegExp(`schema version ${LATEST + 1}, .*knows ${LATEST}.*update nestjs-keyfence`),
      ),
    });
    expect(byHand(openByHand, path, schemaOf)).toEqual(before);
  });

  it('stays as it was if a step fails', async () => {
    // A table that is in the way of the first step.
    const path = freshWith('CREATE TABLE keyfence_api_keys (a TEXT)');
    await expect(open(path)).rejects.toThrow(/cannot be opened as a database.*already exists/);
    byHand(openByHand, path, (database) => {
      expect(schemaOf(database)).toEqual(['CREATE TABLE keyfence_api_keys (a TEXT)']);
    });
  });

  it("shares a file with an application's own tables and their version", async () => {
    const path = freshWith('CREATE TABLE orders (a TEXT)', 'PRAGMA user_version = 99');
    expect(await (await open(path)).findByLocator('unknown')).toBeNull();
    byHand(openByHand, path, (database) => {
      expect(database.prepare('PRAGMA user_version').all()).toMatchObject([{ user_version: 99 }]);
    });
  });
});
