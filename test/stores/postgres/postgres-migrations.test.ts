import { readFileSync } from 'node:fs';
import { beforeEach, expect, it, jest } from '@jest/globals';
import type pg from 'pg';
import { KeyfenceConfigurationError } from '../../../src/errors/configuration.error.js';
import type { TenantId } from '../../../src/principal/tenant-id.js';
import { POSTGRES_MIGRATIONS, PostgresApiKeyStore, postgresMigrations } from '../../../src/stores/postgres/index.js';
import type { TestDatabase } from '../../support/postgres.js';
import { sampleKey } from '../../support/sample-key.js';
import { columnOf, describeWith, freshDatabase, postgresForThisFile } from './postgres-here.js';

const server = await postgresForThisFile();
const V1 = readFileSync(new URL('fixtures/v1.sql', import.meta.url), 'utf8');
const ACME = 'acme' as TenantId;

jest.setTimeout(30_000);

describeWith(server)('the schema of PostgresApiKeyStore', () => {
  let database: TestDatabase;
  let pool: pg.Pool;
  let store: PostgresApiKeyStore;

  beforeEach(async () => {
    database = await freshDatabase(server);
    pool = database.createPool();
    store = new PostgresApiKeyStore(pool);
  });

  it('is made by migrate, once, and then holds keys', async () => {
    expect(await store.migrate()).toEqual([1]);
    expect(await store.insert(sampleKey().record)).toBe(true);
    expect(await store.migrate()).toEqual([]);
    expect(await columnOf(pool, 'select count(*)::int from keyfence_api_keys')).toEqual([1]);
  });

  it('is made once by many that migrate at the same time', async () => {
    const pools = Array.from({ length: 8 }, () => database.createPool({ max: 1 }));
    const applied = await Promise.all(pools.map((one) => new PostgresApiKeyStore(one).migrate()));
    expect(applied.flat()).toEqual([1]);
    expect(await columnOf(pool, 'select version from keyfence_api_keys_migrations')).toEqual([1]);
  });

  it('can be run by hand: POSTGRES_MIGRATIONS is what migrate does', async () => {
    for (const { sql } of POSTGRES_MIGRATIONS) await pool.query(sql);
    expect(await store.migrate()).toEqual([]);
    await store.assertMigrated();
    const migrated = (await freshDatabase(server)).createPool();
    await new PostgresApiKeyStore(migrated).migrate();
    expect(await describeSchema(pool)).toEqual(await describeSchema(migrated));
  });

  it('has versions from 1 without gaps', () => {
    expect(POSTGRES_MIGRATIONS.map(({ version }) => version)).toEqual(POSTGRES_MIGRATIONS.map((_, index) => index + 1));
  });

  it('of version 1 never changes', () => {
    expect(V1.startsWith(POSTGRES_MIGRATIONS[0]?.sql ?? 'none')).toBe(true);
  });

  it('of version 1 is migrated with its keys, and ends as a new one does', async () => {
    await pool.query(V1);
    const expected = POSTGRES_MIGRATIONS.slice(1).map(({ version }) => version);
    expect(await store.migrate()).toEqual(expected);
    await store.assertMigrated();
    expect((await store.list(ACME, { limit: 10, includeRevoked: true })).items).toEqual(V1_KEYS_OF_ACME);
    expect(await store.findByLocator('0000000000000005')).toMatchObject({
      tenantId: 'globex',
      revokedAt: new Date('2026-06-06T12:00:00.321Z'),
    });
    const migrated = (await freshDatabase(server)).createPool();
    await new PostgresApiKeyStore(migrated).migrate();
    expect(await describeSchema(pool)).toEqual(await describeSchema(migrated));
  });

  it('of a newer version is refused, and nothing is changed', async () => {
    await store.migrate();
    await pool.query('insert into keyfence_api_keys_migrations (version) values (99)');
    await expect(store.migrate()).rejects.toThrow(/version 99 .* knows 1\. Update nestjs-keyfence/);
    await expect(store.migrate()).rejects.toBeInstanceOf(KeyfenceConfigurationError);
    await expect(store.assertMigrated()).rejects.toThrow(/version 99/);
    expect(await columnOf(pool, 'select version from keyfence_api_keys_migrations order by 1')).toEqual([1, 99]);
  });

  it('that cannot be made whole is not made at all, and the connection is usable afterwards', async () => {
    const single = database.createPool({ max: 1 });
    // A table of the team's with the name of an index of ours.
    await single.query('create table keyfence_api_keys_end_idx (id int)');
    const failing = new PostgresApiKeyStore(single);
    await expect(failing.migrate()).rejects.toMatchObject({ code: '42P07' });
    expect(await columnOf(single, "select to_regclass('keyfence_api_keys')::text")).toEqual([null]);
    await expect(failing.assertMigrated()).rejects.toThrow(/is missing/);
    await single.query('drop table keyfence_api_keys_end_idx');
    expect(await failing.migrate()).toEqual([1]);
  });

  it('takes another table and schema, beside the first', async () => {
    await pool.query('create schema "Team"');
    const other = new PostgresApiKeyStore(pool, { schema: 'Team', table: 'Keys' });
    await expect(other.assertMigrated()).rejects.toThrow('the table "Team"."Keys" is missing');
    await Promise.all([other.migrate(), store.migrate()]);
    const { record } = sampleKey();
    await other.insert(record);
    expect(await columnOf(pool, 'select locator from "Team"."Keys"')).toEqual([record.locator]);
    expect(await store.findByLocator(record.locator)).toBeNull();
    expect(postgresMigrations({ schema: 'Team', table: 'Keys' })[0]?.sql).toContain('create table "Team"."Keys" (');
  });

  it('says that its schema is missing', async () => {
    await expect(new PostgresApiKeyStore(pool, { schema: 'nowhere' }).migrate()).rejects.toMatchObject({
      code: '3F000',
    });
  });

  it.each([
    ['a null in a list', "update keyfence_api_keys set paths = '{null}'", 'keyfence_api_keys_lists_check'],
    ['a list of lists', "update keyfence_api_keys set scopes = '{{a,b}}'", 'keyfence_api_keys_lists_check'],
    ['an infinite date', "update keyfence_api_keys set expires_at = 'infinity'", 'keyfence_api_keys_dates_check'],
    ['half a rotation', "update keyfence_api_keys set rotated_to = 'key_x'", 'keyfence_api_keys_rotation_check'],
    ['metadata that is no object', "update keyfence_api_keys set metadata = '[]'", 'keyfence_api_keys_metadata_check'],
  ])('refuses %s, whoever writes it', async (_what, sql, constraint) => {
    await store.migrate();
    const { record } = sampleKey();
    await store.insert(record);
    const refusal = await pool.query(sql).then(
      () => undefined,
      (error: unknown) => error as { readonly message: string; readonly constraint?: string },
    );
    // A list of lists is refused while the check is computed.
    if (refusal?.constraint !== undefined) expect(refusal.constraint).toBe(constraint);
    else expect(refusal?.message).toMatch(/multidimensional/);
    expect(await store.findByLocator(record.locator)).toEqual(record);
  });

  it('can be read by a role that may not create, and a role that may do less learns what it needs', async () => {
    await store.migrate();
    const { record } = sampleKey();
    await store.insert(record);
    await pool.query(`
      create role keyfence_runtime; create role keyfence_nobody;
      grant select, insert, update, delete on keyfence_api_keys to keyfence_runtime;
      grant select on keyfence_api_keys_migrations to keyfence_runtime;`);
    const runtime = new PostgresApiKeyStore(database.createPool({ options: '-c role=keyfence_runtime' }));
    await runtime.assertMigrated();
    const next = sampleKey().record;
    expect((await runtime.findByLocator(record.locator))?.id).toBe(record.id);
    await runtime.recordUses([{ id: record.id, at: new Date(5) }]);
    const old = { ...record, rotatedTo: next.id, graceEndsAt: new Date(9), version: 2 };
    expect(await runtime.rotate(old, next)).toBe(true);
    expect(await runtime.revoke(ACME, next.id, new Date(7))).toMatchObject({ revokedAt: new Date(7) });
    expect(await runtime.prune(new Date(8), 10)).toBe(1);

    const nobody = new PostgresApiKeyStore(database.createPool({ options: '-c role=keyfence_nobody' }));
    await expect(nobody.findByLocator(record.locator)).rejects.toMatchObject({ code: '42501' });
  });
});

/** Every column, index and constraint of the tables. */
async function describeSchema(pool: pg.Pool): Promise<unknown[]> {
  const [columns, indexes, constraints] = await Promise.all([
    pool.query(`select table_name, column_name, data_type, datetime_precision, collation_name, is_nullable, column_default
      from information_schema.columns where table_schema = 'public' order by table_name, column_name`),
    pool.query(`select indexdef from pg_indexes where schemaname = 'public' order by 1`),
    pool.query(`select conname, pg_get_constraintdef(oid) from pg_constraint
      where connamespace = 'public'::regnamespace order by 1`),
  ]);
  expect(columns.rows.length).toBeGreaterThan(20);
  return [columns.rows, indexes.rows, constraints.rows];
}

const V1_KEYS_OF_ACME = [
  {
    id: 'key_plain',
    locator: '0000000000000001',
    tenantId: 'acme',
    name: 'plain',
    digest: 'a'.repeat(64),
    digestVersion: 'sha256',
    scopes: ['files:read'],
    environment: 'live',
    createdAt: new Date('2026-06-01T12:00:00.123Z'),
    lineageId: 'key_plain',
    version: 1,
  },
  {
    id: 'key_full',
    locator: '0000000000000002',
    tenantId: 'acme',
    name: 'f\u00fcll "q"',
    digest: 'b'.repeat(64),
    digestVersion: 'hmac-sha256:v1',
    scopes: ['files:read', 'reports:*'],
    paths: ['reports/**', 'a b.csv'],
    environment: 'test',
    allowedIps: ['203.0.113.7', '2001:db8::/32'],
    createdAt: new Date('2026-06-02T12:00:00.456Z'),
    notBefore: new Date('2026-06-03T00:00:00.001Z'),
    expiresAt: new Date('2999-12-31T23:59:59.999Z'),
    lineageId: 'key_first',
    lastUsedAt: new Date('2026-06-04T00:00:00.002Z'),
    metadata: { plan: 'gold', seats: [1, null, { deep: true }] },
    version: 7,
  },
  {
    id: 'key_nothing_allowed',
    locator: '0000000000000003',
    tenantId: 'acme',
    name: 'nothing allowed',
    digest: 'c'.repeat(64),
    digestVersion: 'sha256',
    scopes: [],
    paths: [],
    environment: 'live',
    allowedIps: [],
    createdAt: new Date('2026-06-03T12:00:00Z'),
    lineageId: 'key_nothing_allowed',
    metadata: {},
    version: 1,
  },
  {
    id: 'key_replaced',
    locator: '0000000000000004',
    tenantId: 'acme',
    name: 'replaced',
    digest: 'd'.repeat(64),
    digestVersion: 'sha256',
    scopes: ['files:read'],
    environment: 'live',
    createdAt: new Date('2026-06-04T12:00:00Z'),
    rotatedTo: 'key_full',
    graceEndsAt: new Date('2026-06-05T12:00:00.789Z'),
    lineageId: 'key_first',
    version: 2,
  },
];
