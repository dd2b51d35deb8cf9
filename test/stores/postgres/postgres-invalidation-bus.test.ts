import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import pg from 'pg';
import type { InvalidationListener } from '../../../src/api-key/key-invalidation-bus.js';
import { PostgresInvalidationBus, type PostgresClient, type PostgresPool } from '../../../src/stores/postgres/index.js';
import type { TestDatabase } from '../../support/postgres.js';
import { columnOf, describeWith, freshDatabase, postgresForThisFile, until } from './postgres-here.js';
import { TcpProxy } from './tcp-proxy.js';

const server = await postgresForThisFile();

jest.setTimeout(60_000);

/** Keeps what it is told. */
class Told implements InvalidationListener {
  readonly locators: string[] = [];
  resets = 0;

  invalidate(locators: readonly string[]): void {
    this.locators.push(...locators);
  }

  reset(): void {
    this.resets += 1;
  }
}

describeWith(server)('PostgresInvalidationBus', () => {
  let database: TestDatabase;
  let pool: pg.Pool;
  let told: Told;
  const stops: (() => Promise<void>)[] = [];

  beforeEach(async () => {
    database = await freshDatabase(server);
    pool = database.createPool();
    told = new Told();
  });

  afterEach(async () => {
    for (const stop of stops.splice(0)) await stop();
  });

  const subscribe = async (bus: PostgresInvalidationBus, listener = told): Promise<() => Promise<void>> => {
    const stop = await bus.subscribe(listener);
    stops.push(stop);
    return stop;
  };
  /** The backends that listen, of this database. */
  const listeners = (): Promise<unknown[]> =>
    columnOf(
      pool,
      `select pid from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()
        and query ilike 'listen%' order by pid`,
    );
  /** Everything that was sent before this has arrived: notifications keep their order. */
  const settled = async (bus: PostgresInvalidationBus): Promise<void> => {
    const last = `last-${told.locators.length}`;
    await bus.publish([last]);
    await until('the last message has arrived', () => told.locators.includes(last));
    told.locators.splice(told.locators.indexOf(last), 1);
  };

  it('carries locators from one pool to the listeners of another', async () => {
    const second = new Told();
    const bus = new PostgresInvalidationBus(database.createPool());
    await subscribe(new PostgresInvalidationBus(pool));
    await subscribe(new PostgresInvalidationBus(pool), second);
    await bus.publish(['0123456789abcdef', 'fedcba9876543210']);
    await until('both were told', () => told.locators.length === 2 && second.locators.length === 2);
    expect(told.locators).toEqual(['0123456789abcdef', 'fedcba9876543210']);
    expect([told.resets, second.resets]).toEqual([0, 0]);
  });

  it('carries as many as there are, however long, in one statement, and none for none', async () => {
    const asked: unknown[] = [];
    const bus = new PostgresInvalidationBus({
      query: (query) => {
        asked.push(query);
        return pool.query(query);
      },
      connect: () => pool.connect(),
      on: () => undefined,
    });
    await subscribe(bus);
    const locators = Array.from({ length: 950 }, (_, index) => `${index}`.padStart(64, 'x'));
    await bus.publish(locators);
    await bus.publish([]);
    await until('all have arrived', () => told.locators.length >= locators.length);
    expect(told.locators).toEqual(locators);
    expect(asked).toHaveLength(1);
  });

  it('keeps channels apart', async () => {
    await subscribe(new PostgresInvalidationBus(pool, { channel: 'Mine' }));
    await new PostgresInvalidationBus(pool).publish(['other']);
    await new PostgresInvalidationBus(pool, { channel: 'mine' }).publish(['lowerCase']);
    await settled(new PostgresInvalidationBus(pool, { channel: 'Mine' }));
    expect(told.locators).toEqual([]);
    expect(told.resets).toBe(0);
  });

  it.each([
    ['no text', ''],
    ['a blank', ' '],
    ['a line end', 'a b\n'],
    ['a statement', "'; drop table x; --"],
    ['JSON', '{"locators":["x"]}'],
    ['other characters', '__proto__ *'],
    ['a locator that is too long', 'x'.repeat(65)],
    ['too many locators', 'x '.repeat(200).trim()],
    ['a backslash', '\\0'],
    ['no ASCII', '\u{1f511}'],
    ['as much as there may be', 'y'.repeat(7_999)],
  ])('only forgets everything for a payload of %s', async (_what, payload) => {
    const bus = new PostgresInvalidationBus(pool);
    await subscribe(bus);
    await pool.query('select pg_notify($1, $2)', ['keyfence_invalidation', payload]);
    await settled(bus);
    expect({ locators: told.locators, resets: told.resets }).toEqual({ locators: [], resets: 1 });
  });

  it('listens again after its backend was ended, and says that messages may have been missed', async () => {
    const bus = new PostgresInvalidationBus(pool);
    await subscribe(bus);
    for (const round of [1, 2, 3]) {
      const [pid] = await listeners();
      expect(await columnOf(pool, 'select pg_terminate_backend($1)', [pid])).toEqual([true]);
      await until('it was reset', () => told.resets === round);
      await bus.publish([`after-${round}`]);
      await until('it hears', () => told.locators.includes(`after-${round}`));
      expect(await listeners()).toHaveLength(1);
      expect(await listeners()).not.toEqual([pid]);
    }
  });

  it('takes one connection of the pool, and gives it back closed when it is stopped', async () => {
    const single = database.createPool({ max: 2 });
    const bus = new PostgresInvalidationBus(single);
    const stop = await bus.subscribe(told);
    await bus.publish(['before']);
    await until('it hears', () => told.locators.length === 1);
    expect(await listeners()).toHaveLength(1);
    await stop();
    await stop();
    await bus.publish(['after']);
    await until('it is gone', async () => (await listeners()).length === 0);
    expect({ total: single.totalCount, idle: single.idleCount }).toEqual({ total: 1, idle: 1 });
    expect(told).toEqual({ locators: ['before'], resets: 0 });
    await single.end();
  });

  it('is ended by the end of the pool, which otherwise would wait for it for ever', async () => {
    const own = database.createPool();
    await subscribe(new PostgresInvalidationBus(own));
    const ended = own.end().then(() => 'ended');
    await until(
      'the pool has ended',
      async () => (await Promise.race([ended, Promise.resolve('waiting')])) === 'ended',
      5_000,
    );
    expect(await listeners()).toEqual([]);
  });

  it('can be subscribed to while the server is away, and starts to listen when it is back', async () => {
    await server?.stop();
    const bus = new PostgresInvalidationBus(pool);
    try {
      await subscribe(bus);
      await expect(bus.publish(['lost'])).rejects.toThrow();
      expect(told.resets).toBe(0);
    } finally {
      await server?.start();
    }
    await until('it was reset', () => told.resets === 1);
    await bus.publish(['heard']);
    await until('it hears', () => told.locators.length > 0);
    expect(told.locators).toEqual(['heard']);
  });

  it('notices a peer that has fallen silent', async () => {
    await using proxy = await TcpProxy.open(server?.port ?? 0);
    const url = new URL(database.connectionString);
    url.port = `${proxy.port}`;
    const through = new pg.Pool({ connectionString: url.href, connectionTimeoutMillis: 1_000 });
    const stop = await new PostgresInvalidationBus(through, { keepAlive: '1s' }).subscribe(told);
    try {
      const bus = new PostgresInvalidationBus(pool);
      await settled(bus);
      proxy.fallSilent();
      await bus.publish(['missed']);
      proxy.recover();
      await until('it was reset', () => told.resets > 0);
      await settled(bus);
      expect(told).toEqual({ locators: [], resets: 1 });
    } finally {
      await stop();
      await through.end();
    }
  });

  it('does not wait for a pool without a free connection for ever', async () => {
    const full = database.createPool({ max: 1 });
    const taken = await full.connect();
    const bus = new PostgresInvalidationBus(full);
    const stop = await bus.subscribe(told);
    expect(await listeners()).toEqual([]);
    taken.release();
    await until('it was reset', () => told.resets === 1);
    expect(await listeners()).toHaveLength(1);
    await stop();
  });
});

describe('PostgresInvalidationBus without a server', () => {
  beforeEach(() => {
    jest.useFakeTimers();
  });

  afterEach(() => {
    jest.useRealTimers();
  });

  const unreachable = (): { readonly pool: PostgresPool; readonly attempts: number[] } => {
    const attempts: number[] = [];
    const pool: PostgresPool = {
      query: () => Promise.reject(new Error('down')),
      connect: () => {
        attempts.push(Date.now());
        return Promise.reject(new Error('down'));
      },
      on: () => undefined,
    };
    return { pool, attempts };
  };

  it('tries less and less often, but at least every 10 seconds, and not in step with others', async () => {
    const pools = [unreachable(), unreachable()];
    const stops = await Promise.all(
      pools.map(async ({ pool }) => new PostgresInvalidationBus(pool).subscribe(new Told())),
    );
    await jest.advanceTimersByTimeAsync(300_000);
    const [first = [], second = []] = pools.map(({ attempts }) => attempts);
    const gaps = first.slice(1).map((time, index) => time - (first[index] ?? 0));
    expect(gaps[0]).toBeLessThanOrEqual(100);
    expect(Math.max(...gaps)).toBeLessThanOrEqual(10_000);
    expect(Math.min(...gaps.slice(8))).toBeGreaterThanOrEqual(5_000);
    expect(gaps.length).toBeGreaterThan(30);
    expect(second).not.toEqual(first);
    for (const stop of stops) await stop();
  });

  it('tries no more once it is stopped', async () => {
    const { pool, attempts } = unreachable();
    const stop = await new PostgresInvalidationBus(pool).subscribe(new Told());
    await jest.advanceTimersByTimeAsync(1_000);
    expect(attempts.length).toBeGreaterThan(1);
    await stop();
    const before = attempts.length;
    await jest.advanceTimersByTimeAsync(60_000);
    expect(attempts).toHaveLength(before);
    expect(jest.getTimerCount()).toBe(0);
  });

  it.each([
    ['it is stopped', 0],
    ['the pool is ended', 0],
    ['nothing else happens (control)', 1],
  ])('tries as often as it should after an attempt that fails while %s', async (event, least) => {
    const waiting: ((error: Error) => void)[] = [];
    const pool = {
      ending: false,
      query: () => Promise.reject(new Error('down')),
      connect: () => new Promise<PostgresClient>((_resolve, reject) => waiting.push(reject)),
      on: () => undefined,
    };
    const subscribed = new PostgresInvalidationBus(pool).subscribe(new Told());
    waiting[0]?.(new Error('down'));
    const stop = await subscribed;
    await jest.advanceTimersByTimeAsync(100);
    expect(waiting).toHaveLength(2);
    const stopped = event === 'it is stopped' ? stop() : undefined;
    pool.ending = event === 'the pool is ended';
    waiting[1]?.(new Error('down'));
    await stopped;
    await jest.advanceTimersByTimeAsync(4_000);
    expect(waiting).toHaveLength(2 + least);
    const last = stop();
    await jest.advanceTimersByTimeAsync(6_000);
    await last;
  });

  it('ends the first attempt after 5 seconds, and closes a connection that comes later', async () => {
    const released: unknown[] = [];
    let arrive: (client: PostgresClient) => void = () => undefined;
    const pool: PostgresPool = {
      query: () => Promise.reject(new Error('down')),
      connect: () => new Promise((resolve) => (arrive = resolve)),
      on: () => undefined,
    };
    const subscribed = new PostgresInvalidationBus(pool).subscribe(new Told());
    const late = arrive;
    await jest.advanceTimersByTimeAsync(5_000);
    const stop = await subscribed;
    const client = { release: (destroy: unknown) => released.push(destroy) } as unknown as PostgresClient;
    late(client);
    await jest.advanceTimersByTimeAsync(0);
    expect(released).toEqual([true]);
    const stopped = stop();
    await jest.advanceTimersByTimeAsync(6_000);
    await stopped;
  });
});

describe('the options of PostgresInvalidationBus', () => {
  it.each([0, 999, '999ms', '', 'soon', -1, NaN, null])('refuses keepAlive %j', (keepAlive) => {
    const pool = new pg.Pool();
    expect(() => new PostgresInvalidationBus(pool, { keepAlive: keepAlive as string })).toThrow(/keepAlive is/);
  });

  it.each([1_000, '15s'])('takes keepAlive %j (control)', (keepAlive) => {
    expect(() => new PostgresInvalidationBus(new pg.Pool(), { keepAlive })).not.toThrow();
  });
});
