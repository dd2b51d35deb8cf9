import { afterEach, beforeAll, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { Logger } from '@nestjs/common';
import pg from 'pg';
import { readRecord } from '../../../src/api-key/api-key-record.js';
import { KeyfenceConfigurationError } from '../../../src/errors/configuration.error.js';
import type { TenantId } from '../../../src/principal/tenant-id.js';
import {
  PostgresApiKeyStore,
  PostgresInvalidationBus,
  postgresMigrations,
  type PostgresPool,
  type PostgresQuery,
} from '../../../src/stores/postgres/index.js';
import { CapturedLog } from '../../support/captured-log.js';
import type { TestDatabase } from '../../support/postgres.js';
import { sampleKey } from '../../support/sample-key.js';
import { columnOf, describeWith, freshDatabase, freshTable, postgresForThisFile, until } from './postgres-here.js';
import { TcpProxy } from './tcp-proxy.js';

const server = await postgresForThisFile();
const ACME = 'acme' as TenantId;

jest.setTimeout(60_000);

const HOSTILE_NAMES = [
  '',
  'keys"; drop table users; --',
  'keys"',
  "keys'",
  'public.keys',
  'keys keys',
  'keys\0',
  'keys\n',
  '1keys',
  'k\u00e9ys',
  'keys$1',
  'k'.repeat(64),
  ['keys'],
  null,
  {
    toString: () => 'keys',
  },
];

describe('names that stand in statements', () => {
  const pool = new pg.Pool();

  it.each(HOSTILE_NAMES)('refuses %j as a table, a schema and a channel', (name) => {
    const hostile = name as string;
    expect(() => new PostgresApiKeyStore(pool, { table: hostile })).toThrow(KeyfenceConfigurationError);
    expect(() => new PostgresApiKeyStore(pool, { schema: hostile })).toThrow(KeyfenceConfigurationError);
    expect(() => postgresMigrations({ table: hostile })).toThrow(KeyfenceConfigurationError);
    expect(() => new PostgresInvalidationBus(pool, { channel: hostile })).toThrow(KeyfenceConfigurationError);
  });

  it('takes plain ones, and no table whose indexes would have names that are cut (control)', () => {
    expect(() => new PostgresApiKeyStore(pool, { table: 'k'.repeat(43), schema: 's'.repeat(63) })).not.toThrow();
    expect(() => new PostgresApiKeyStore(pool, { table: 'k'.repeat(44) })).toThrow(/table is not a plain name/);
  });
});

describeWith(server)('PostgresApiKeyStore', () => {
  let database: TestDatabase;
  let pool: pg.Pool;
  let table: string;
  let store: PostgresApiKeyStore;
  const log = new CapturedLog();

  beforeAll(async () => {
    database = await freshDatabase(server);
    pool = database.createPool();
  });

  beforeEach(async () => {
    table = freshTable();
    store = new PostgresApiKeyStore(pool, { table });
    await store.migrate();
    log.lines.length = 0;
    Logger.overrideLogger(log);
  });

  afterEach(() => {
    Logger.overrideLogger(['error', 'warn', 'log']);
  });

  it('asks the database once for each method', async () => {
    const asked: string[] = [];
    const counting: PostgresPool = {
      query: (query: PostgresQuery) => {
        asked.push(query.text);
        return pool.query(query);
      },
      connect: () => Promise.reject(new Error('a connection of its own')),
      on: () => undefined,
    };
    const counted = new PostgresApiKeyStore(counting, { table });
    const [first, second] = [sampleKey().record, sampleKey().record];
    const uses = [first, second].map(({ id }) => ({ id, at: new Date(5) }));
    const change = { id: second.id, from: second.digest, digest: 'f'.repeat(64), digestVersion: 'hmac-sha256:v1' };
    const steps = [
      () => counted.insert(first),
      () => counted.findByLocator(first.locator),
      () => counted.findById(ACME, first.id),
      () => counted.list(ACME, { limit: 10, includeRevoked: true }),
      () => counted.update({ ...first, name: 'renamed', version: 2 }),
      () => counted.rotate({ ...first, rotatedTo: second.id, graceEndsAt: new Date(9), version: 3 }, second),
      () => counted.recordUses(uses),
      () => counted.replaceDigests([change, { ...change, id: 'unknown' }]),
      () => counted.revoke(ACME, second.id, new Date(9)),
      () => counted.prune(new Date(10), 10),
    ];
    for (const [index, step] of steps.entries()) {
      await step();
      expect(asked).toHaveLength(index + 1);
    }
    expect(await columnOf(pool, `select count(*)::int from ${table}`)).toEqual([0]);
  });

  it('asks nothing for what no record can have, and finds nothing', async () => {
    const refusing = new PostgresApiKeyStore(noDatabase(), { table });
    for (const text of ['a\0b', '\0', '\ud800']) {
      expect(await refusing.findByLocator(text)).toBeNull();
      expect(await refusing.findById(ACME, text)).toBeNull();
      expect(await refusing.revoke(ACME, text, new Date())).toBeNull();
    }
    await refusing.recordUses([]);
    await refusing.replaceDigests([]);
    await expect(refusing.findByLocator('x')).rejects.toThrow('asked');
    // A cursor comes from a caller too.
    await store.insert(sampleKey().record);
    const page = await store.list(ACME, { limit: 5, includeRevoked: true, cursor: '0.\0' });
    expect(page.items).toHaveLength(1);
  });

  it('holds hostile texts as they are: values are never part of a statement', async () => {
    const text = `'; drop table ${table}; -- \\ $1 {} "`;
    const { record } = sampleKey({ id: text, locator: text, name: text, lineageId: text, metadata: { [text]: text } });
    expect(await store.insert(record)).toBe(true);
    expect(await store.findByLocator(text)).toEqual(record);
    expect(await store.findById(ACME, text)).toEqual(record);
    expect(await store.findById(`${text}x` as TenantId, text)).toBeNull();
    await store.recordUses([{ id: text, at: new Date(5) }]);
    expect((await store.revoke(ACME, text, new Date(6)))?.lastUsedAt).toEqual(new Date(5));
    expect(await columnOf(pool, `select count(*)::int from ${table}`)).toEqual([1]);
  });

  it.each([
    new Date(0),
    new Date(-1),
    new Date('0001-01-01T00:00:00.001Z'),
    new Date('0000-12-31T23:59:59.999Z'),
    new Date('-004700-03-01T00:00:00.001Z'),
    new Date('1900-02-28T23:59:59.999Z'),
    new Date('9999-12-31T23:59:59.999Z'),
    new Date('+010000-01-01T00:00:00.001Z'),
    new Date(8_640_000_000_000_000),
  ])('keeps %s to the millisecond, whatever the time zone of the session', async (date) => {
    const { record } = sampleKey({ expiresAt: date, notBefore: date });
    const tokyo = database.createPool({ options: '-c timezone=Asia/Tokyo -c datestyle=German' });
    expect(await new PostgresApiKeyStore(tokyo, { table }).insert(record)).toBe(true);
    expect(await store.findByLocator(record.locator)).toEqual(record);
    expect(await new PostgresApiKeyStore(tokyo, { table }).findByLocator(record.locator)).toEqual(record);
    await tokyo.end();
  });

  it('keeps metadata that jsonb refuses', async () => {
    const { record } = sampleKey({ metadata: { 'nul\0': '\0', half: '\ud800', __proto__x: 1e308, z: 1, a: 2 } });
    await store.insert(record);
    const found = await store.findByLocator(record.locator);
    expect(JSON.stringify(found?.metadata)).toBe(JSON.stringify(record.metadata));
  });

  it('does not depend on the parsers that the application has set for the driver', async () => {
    const { record } = sampleKey({
      expiresAt: new Date('2999-01-01T00:00:00.123Z'),
      allowedIps: ['203.0.113.7'],
      paths: [],
      metadata: { plan: 'gold' },
    });
    await store.insert(record);
    const parsers = { getTypeParser: () => (value: unknown) => ({ parsedBy: 'the application', value }) };
    const odd = database.createPool({
      types: {
        getTypeParser: (oid: number) =>
          oid === 25 ? (value: unknown) => value : (parsers.getTypeParser() as (value: unknown) => unknown),
      },
    });
    const oddStore = new PostgresApiKeyStore(odd, { table });
    expect(await oddStore.findByLocator(record.locator)).toEqual(record);
    await odd.end();
  });

  it.each([
    ['scopes', 'scopes = null', 'alter column scopes drop not null'],
    ['a null in paths', "paths = '{null}'", 'drop constraint $_lists_check'],
    ['a list of lists of addresses', "allowed_ips = '{{a},{b}}'", 'drop constraint $_lists_check'],
    ['an endless expiry', "expires_at = 'infinity'", 'drop constraint $_dates_check'],
    ['an endless past', "not_before = '-infinity'", 'drop constraint $_dates_check'],
    ['half a rotation', "rotated_to = 'key_x'", 'drop constraint $_rotation_check'],
    ['metadata that is a list', "metadata = '[]'", 'drop constraint $_metadata_check'],
    ['a tenant that is none', "tenant_id = '../x'", undefined],
    ['a digest that is none', "digest = ''", undefined],
  ])('gives a row with %s so that it is refused, never as one without a limit', async (_what, set, alter) => {
    const { record } = sampleKey();
    await store.insert(record);
    expect(readRecord(await store.findByLocator(record.locator))).toBeDefined();
    if (alter !== undefined) await pool.query(`alter table ${table} ${alter.replace('$', table)}`);
    await pool.query(`update ${table} set ${set}`);
    const found = await store.findByLocator(record.locator);
    expect(found).not.toBeNull();
    expect(readRecord(found)).toBeUndefined();
    // Whoever manages keys can still list it and end it.
    const tenantId = found?.tenantId ?? ACME;
    expect((await store.list(tenantId, { limit: 5, includeRevoked: false })).items).toHaveLength(1);
    await store.revoke(tenantId, record.id, new Date(5));
    expect(await columnOf(pool, `select revoked_at is not null from ${table}`)).toEqual([true]);
  });

  it('rejects a row that a driver has renamed the columns of', async () => {
    const { record } = sampleKey();
    const renaming = noDatabase(() => Promise.resolve({ rows: [{ ...record, allowedips: '["a"]' }], rowCount: 1 }));
    await expect(new PostgresApiKeyStore(renaming).findByLocator(record.locator)).rejects.toThrow(/without "/);
  });

  it('pages on from a key that is gone, and begins anew for what is no cursor', async () => {
    const records = [1, 2, 3, 4].map((minute) => sampleKey({ createdAt: new Date(minute * 60_000) }).record);
    for (const record of records) await store.insert(record);
    const query = { limit: 2, includeRevoked: true };
    const first = await store.list(ACME, query);
    await pool.query(`delete from ${table} where id = $1`, [first.items[1]?.id]);
    const second = await store.list(ACME, { ...query, cursor: first.next });
    expect(second.items.map(({ id }) => id)).toEqual(records.slice(2).map(({ id }) => id));
    expect(second.next).toBeUndefined();
    const anew = await store.list(ACME, { ...query, cursor: 'nonsense' });
    expect(anew.items[0]?.id).toBe(records[0]?.id);
  });

  it('says in the log, once, what to do about a table that is missing, and rejects every call', async () => {
    const missing = new PostgresApiKeyStore(pool, { table: 'never_made' });
    await expect(missing.findByLocator('x')).rejects.toMatchObject({ code: '42P01' });
    await expect(missing.insert(sampleKey().record)).rejects.toMatchObject({ code: '42P01' });
    const hints = log.lines.filter(({ level, text }) => level === 'error' && text.includes('store.migrate()'));
    expect(hints).toHaveLength(1);
    expect(hints[0]?.text).toContain('"never_made"');
    await expect(missing.assertMigrated()).rejects.toThrow(/"never_made" is missing. Call await store.migrate\(\)/);
    await store.assertMigrated();
  });

  it('says in the log what to grant to a role that may not', async () => {
    await pool.query('drop role if exists keyfence_powerless; create role keyfence_powerless');
    const powerless = database.createPool({ options: '-c role=keyfence_powerless' });
    await expect(new PostgresApiKeyStore(powerless, { table }).findByLocator('x')).rejects.toMatchObject({
      code: '42501',
    });
    expect(log.textOf('error')).toContain(`grant select, insert, update, delete on "${table}"`);
  });

  it('logs nothing of an error that is no mistake of the set-up', async () => {
    const broken = noDatabase(() => Promise.reject(Object.assign(new Error('secret'), { code: '57P01' })));
    await expect(new PostgresApiKeyStore(broken).findByLocator('x')).rejects.toThrow('secret');
    expect(log.lines).toEqual([]);
  });

  it('tries again what lost against another statement, and nothing else', async () => {
    for (const [code, failures, calls, outcome] of [
      ['40001', 3, 4, true],
      ['40P01', 3, 4, true],
      ['40001', 99, 10, '40001'],
      ['57P01', 1, 1, '57P01'],
      ['08006', 1, 1, '08006'],
    ] as const) {
      let called = 0;
      const failing = noDatabase(() => {
        called += 1;
        if (called <= failures) return Promise.reject(Object.assign(new Error('lost'), { code }));
        return Promise.resolve({ rows: [], rowCount: 1 });
      });
      const answer = new PostgresApiKeyStore(failing).insert(sampleKey().record);
      if (outcome === true) expect(await answer).toBe(true);
      else await expect(answer).rejects.toMatchObject({ code: outcome });
      expect(called).toBe(calls);
    }
  });

  describe('with 100,000 keys', () => {
    beforeEach(async () => {
      await pool.query(`insert into ${table} (id, locator, tenant_id, name, digest, digest_version, scopes, environment,
          created_at, expires_at, lineage_id, version)
        select 'key_' || n, lpad(to_hex(n), 16, '0'), 'tenant-' || n % 1000, 'many', repeat('a', 64), 'sha256',
          '{files:read}', 'live', timestamptz '2026-01-01' + n * interval '1 second',
          timestamptz '2027-01-01' + n * interval '1 second', 'key_' || n, 1
        from generate_series(1, 100000) n`);
      await pool.query(`analyze ${table}`);
    });

    it('no statement of the hot path, of a page or of prune reads the whole table', async () => {
      const texts = new Map<string, PostgresQuery>();
      let verb = '';
      const recording = noDatabase((query) => {
        texts.set(verb, query);
        return Promise.resolve({ rows: [], rowCount: 0 });
      });
      const recorded = new PostgresApiKeyStore(recording, { table });
      const { record } = sampleKey({ id: 'key_777', tenantId: 'tenant-777' });
      const tenant = record.tenantId;
      const verbs = {
        findByLocator: () => recorded.findByLocator('0000000000000309'),
        findById: () => recorded.findById(tenant, 'key_777'),
        list: () =>
          recorded.list(tenant, { limit: 50, includeRevoked: false, cursor: `${Date.UTC(2026, 0, 1)}.key_777` }),
        revoke: () => recorded.revoke(tenant, 'key_777', new Date()),
        update: () => recorded.update({ ...record, version: 2 }),
        rotate: () => recorded.rotate({ ...record, rotatedTo: 'x', graceEndsAt: new Date(), version: 2 }, record),
        recordUses: () => recorded.recordUses([{ id: 'key_777', at: new Date() }]),
        replaceDigests: () =>
          recorded.replaceDigests([{ id: 'key_777', from: 'a', digest: 'b', digestVersion: 'sha256' }]),
        prune: () => recorded.prune(new Date('2027-01-01T00:05:00Z'), 100),
      };
      for (const [name, ask] of Object.entries(verbs)) {
        verb = name;
        await ask();
        const { text = '', values } = texts.get(name) ?? {};
        const plan = (await columnOf(pool, `explain ${text}`, values)).join('\n');
        expect({ name, plan }).toEqual({ name, plan: expect.not.stringContaining('Seq Scan on keys_') });
        expect({ name, plan }).toEqual({ name, plan: expect.stringMatching(/Index (?:Only )?Scan/) });
      }
      const control = (await columnOf(pool, `explain select * from ${table} where name = 'x'`)).join('\n');
      expect(control).toContain('Seq Scan on keys_');
    });

    it('prune takes its limit and no more, oldest end or not', async () => {
      expect(await store.prune(new Date('2027-01-01T00:05:00Z'), 100)).toBe(100);
      expect(await store.prune(new Date('2027-01-01T00:05:00Z'), 1_000)).toBe(199);
      expect(await columnOf(pool, `select count(*)::int from ${table}`)).toEqual([99_701]);
    });
  });

  it('leaves keys that another process is just changing to the next prune', async () => {
    const records = [sampleKey({ revokedAt: new Date(1) }).record, sampleKey({ revokedAt: new Date(1) }).record];
    for (const record of records) await store.insert(record);
    await using other = await Transaction.begin(pool);
    await other.run(`select from ${table} where id = $1 for update`, [records[0]?.id]);
    expect(await store.prune(new Date(5), 10)).toBe(1);
    await other.commit();
    expect(await store.prune(new Date(5), 10)).toBe(1);
  });

  it.each(['recordUses', 'replaceDigests'] as const)(
    '%s locks keys in one order, so that two batches cannot wait for each other',
    async (verb) => {
      const [z, a] = [sampleKey({ id: 'z' }).record, sampleKey({ id: 'a' }).record];
      // In the order in which the table would be read.
      for (const record of [z, a]) await store.insert(record);
      await using other = await Transaction.begin(pool);
      const isLocked = async (id: string): Promise<boolean> => {
        const found = await columnOf(pool, `select id from ${table} where id = $1 for update skip locked`, [id]);
        return found.length === 0;
      };
      await other.run(`select from ${table} where id = 'z' for update`);
      expect([await isLocked('z'), await isLocked('a')]).toEqual([true, false]);
      const written =
        verb === 'recordUses'
          ? store.recordUses([z, a].map(({ id }) => ({ id, at: new Date(5) })))
          : store.replaceDigests(
              [z, a].map(({ id, digest }) => ({ id, from: digest, digest: 'f'.repeat(64), digestVersion: 'new' })),
            );
      // It waits for z, and has a already.
      await until('the first key is locked', () => isLocked('a'));
      await other.commit();
      await written;
      const changed = verb === 'recordUses' ? 'last_used_at is not null' : "digest_version = 'new'";
      expect(await columnOf(pool, `select count(*)::int from ${table} where ${changed}`)).toEqual([2]);
    },
  );

  it('decides anew about a key that it had to wait for', async () => {
    const { record } = sampleKey();
    await store.insert(record);
    await using other = await Transaction.begin(pool);
    await other.run(`update ${table} set last_used_at = $1, digest = repeat('e', 64)`, ['2026-01-01']);
    const written = [
      store.recordUses([{ id: record.id, at: new Date(5) }]),
      store.replaceDigests([{ id: record.id, from: record.digest, digest: 'f'.repeat(64), digestVersion: 'late' }]),
    ];
    const waiting = `select count(*)::int from pg_stat_activity
      where datname = current_database() and wait_event_type = 'Lock'`;
    await until('both wait', async () => (await columnOf(pool, waiting))[0] === 2);
    await other.commit();
    await Promise.all(written);
    expect(await store.findByLocator(record.locator)).toMatchObject({
      lastUsedAt: new Date('2026-01-01'),
      digest: 'e'.repeat(64),
      digestVersion: 'sha256',
    });
  });

  it('prepares the lookup on each connection where that is wanted, and not where it is not', async () => {
    const { record } = sampleKey();
    await store.insert(record);
    const single = database.createPool({ max: 1 });
    const prepared = (): Promise<unknown[]> => columnOf(single, 'select statement from pg_prepared_statements');
    const plain = new PostgresApiKeyStore(single, { table });
    const quick = [1, 2].map(() => new PostgresApiKeyStore(single, { table, preparedLookup: true }));
    expect(await plain.findByLocator(record.locator)).toEqual(record);
    expect(await prepared()).toEqual([]);
    for (const one of [...quick, ...quick]) expect(await one.findByLocator(record.locator)).toEqual(record);
    expect(await prepared()).toHaveLength(2);
    expect(await quick[0]?.findByLocator('unknown')).toBeNull();
    await single.end();
  });

  it('gives up a statement whose server has fallen silent, and works again when it answers', async () => {
    if (server === undefined) throw new Error('There is no server.');
    await using proxy = await TcpProxy.open(server.port);
    const url = new URL(database.connectionString);
    url.port = `${proxy.port}`;
    const silent = new pg.Pool({ connectionString: url.href, max: 2, connectionTimeoutMillis: 2_000 });
    try {
      const through = new PostgresApiKeyStore(silent, { table });
      const { record } = sampleKey();
      await through.insert(record);
      proxy.fallSilent();
      const started = performance.now();
      const calls = Array.from({ length: 4 }, () => through.findByLocator(record.locator));
      const answers = await Promise.allSettled(calls);
      expect(answers.map(({ status }) => status)).toEqual(Array(4).fill('rejected'));
      expect(performance.now() - started).toBeLessThan(12_000);
      proxy.recover();
      expect(await through.findByLocator(record.locator)).toEqual(record);
    } finally {
      await silent.end();
    }
  });
});

/** What another process is doing; undone at the end of a test, however that ends, unless it was committed. */
class Transaction implements AsyncDisposable {
  private constructor(private readonly client: pg.PoolClient) {}

  static async begin(pool: pg.Pool): Promise<Transaction> {
    const client = await pool.connect();
    await client.query('begin');
    return new Transaction(client);
  }

  async run(text: string, values: unknown[] = []): Promise<void> {
    await this.client.query(text, values);
  }

  async commit(): Promise<void> {
    await this.client.query('commit');
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.client.query('rollback');
    this.client.release();
  }
}

/** A pool that fails the test when it is asked, or answers what is given. */
function noDatabase(query: PostgresPool['query'] = () => Promise.reject(new Error('asked'))): PostgresPool {
  return { query, connect: () => Promise.reject(new Error('connected')), on: () => undefined };
}
