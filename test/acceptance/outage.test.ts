import { afterAll, describe, expect, it, jest } from '@jest/globals';
import { Redis } from 'ioredis';
import type { ManagedApiKeyStore } from '../../src/api-key/api-key.store.js';
import type { KeyInvalidationBus } from '../../src/api-key/key-invalidation-bus.js';
import { PostgresApiKeyStore, PostgresInvalidationBus } from '../../src/stores/postgres/index.js';
import { RedisApiKeyStore, RedisInvalidationBus } from '../../src/stores/redis/index.js';
import { startPostgres } from '../support/postgres.js';
import { startRedis } from '../support/redis.js';
import { MANAGER_SCOPES, refusal, startAccountApp, type AccountApp } from './support/account-app.js';
import { TWO_WAYS } from './support/ways.js';

jest.setTimeout(60_000);

/** A store on a server that can be killed. */
interface KillableStore {
  readonly name: string;
  readonly store: ManagedApiKeyStore;
  /** A new one for each application, as each process has its own. */
  readonly bus: () => KeyInvalidationBus;
  kill(): Promise<void>;
  start(): Promise<void>;
  dispose(): Promise<void>;
}

async function onPostgres(): Promise<KillableStore | undefined> {
  const server = await startPostgres();
  if (server === undefined) return undefined;
  const pool = (await server.createDatabase()).createPool({ connectionTimeoutMillis: 2_000 });
  const store = new PostgresApiKeyStore(pool);
  await store.migrate();
  return {
    name: 'PostgreSQL',
    store,
    bus: () => new PostgresInvalidationBus(pool),
    kill: () => server.stop('kill'),
    start: () => server.start(),
    dispose: () => server.dispose(),
  };
}

async function onRedis(): Promise<KillableStore | undefined> {
  const server = await startRedis({ appendOnly: true });
  if (server === undefined) return undefined;
  const client = new Redis(server.url, { maxRetriesPerRequest: 1, retryStrategy: () => 50 });
  client.on('error', () => undefined);
  return {
    name: 'Redis',
    store: new RedisApiKeyStore(client),
    bus: () => new RedisInvalidationBus(client),
    kill: () => server.stop('kill'),
    start: () => server.start(),
    dispose: async () => {
      client.disconnect();
      await server.dispose();
    },
  };
}

const servers = (await Promise.all([onPostgres(), onRedis()])).filter((server) => server !== undefined);
afterAll(() => Promise.all(servers.map((server) => server.dispose())));

type Phase = 'up' | 'down' | 'changing';

interface Seen {
  readonly who: string;
  /** `changing` for a request during which the server went or came. */
  readonly phase: Phase;
  readonly status: number;
  readonly code: string | undefined;
}

/** Sends requests one after the other in several lanes, until it is stopped, and notes every answer. */
class Load {
  readonly seen: Seen[] = [];
  phase: Phase = 'up';
  #running = true;
  readonly #lanes: Promise<void>[] = [];

  add(who: string, request: () => Promise<{ status: number; body: unknown }>): void {
    this.#lanes.push(this.#run(who, request));
  }

  /** Until each lane has had this many more answers in the present phase. */
  async continue(count: number): Promise<void> {
    const { phase } = this;
    const start = this.seen.length;
    for (const deadline = Date.now() + 20_000; ;) {
      const counts = new Map<string, number>();
      for (const { who } of this.seen.slice(start).filter((seen) => seen.phase === phase)) {
        counts.set(who, (counts.get(who) ?? 0) + 1);
      }
      if (counts.size === this.#lanes.length && Math.min(...counts.values()) >= count) return;
      if (Date.now() > deadline) throw new Error(`No answers: ${JSON.stringify([...counts])}`);
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
  }

  async stop(): Promise<void> {
    this.#running = false;
    await Promise.all(this.#lanes);
  }

  /** Every answer of those in a phase, each once. */
  answers(who: string, phase: Phase): string[] {
    const those = this.seen.filter((seen) => seen.who === who && seen.phase === phase);
    return [
      ...new Set(those.map(({ status, code }) => (code === undefined ? `${status}` : `${status} ${code}`))),
    ].sort();
  }

  async #run(who: string, request: () => Promise<{ status: number; body: unknown }>): Promise<void> {
    while (this.#running) {
      const before = this.phase;
      const { status, body } = await request();
      const { errorCode } = (body ?? {}) as { errorCode?: string };
      this.seen.push({ who, phase: before === this.phase ? before : 'changing', status, code: errorCode });
    }
  }
}

/** What each lane is answered while there is no store. */
const OUTAGE: readonly (readonly [who: string, answers: readonly string[]])[] = [
  ['cached', ['200']],
  ['public', ['200']],
  ['public with a cached key', ['200']],
  ['no cache', ['503 key_store_unavailable']],
  ['no cache, public', ['200']],
  ['not cached', ['503 key_store_unavailable']],
  ['not cached, public', ['200']],
  ['management', ['503 key_store_unavailable']],
  ['management, writing', ['503 key_store_unavailable']],
  ['without a key', ['401 missing_credentials']],
];

function statusWhenUp(who: string): number {
  if (who === 'without a key') return 401;
  return who === 'management, writing' ? 201 : 200;
}

const IN_EACH = servers.flatMap((server) =>
  TWO_WAYS.map((way) => ({ name: `${server.name} on ${way.name}`, server, way })),
);

// A suite without a test is an error of Jest's; that there is no server was said above.
if (IN_EACH.length === 0) it.skip('38 a store that is killed (there is none here)', () => undefined);

describe.each(IN_EACH)('with $name', ({ server, way }) => {
  it('38 a store that is killed under load denies with 503 what is not cached, nothing else, and all is well when it is back', async () => {
    const rejections: unknown[] = [];
    const note = (reason: unknown): void => void rejections.push(reason);
    process.on('unhandledRejection', note);
    try {
      await using cached = await startAccountApp(way, server.store, { cache: { ttl: '30s', bus: server.bus() } });
      await using uncached = await startAccountApp(way, server.store, { cache: false }, { clock: cached.clock });
      await using peer = await startAccountApp(
        way,
        server.store,
        { cache: { bus: server.bus() } },
        { clock: cached.clock },
      );
      const manager = await cached.issue({ scopes: MANAGER_SCOPES });
      const [known, unknown, doomed] = [await cached.issue(), await cached.issue(), await cached.issue()];
      const get = (app: AccountApp, line: string, key?: string) => () => app.call(line, key);
      for (const { text } of [known, manager, doomed]) {
        for (const app of [cached, peer]) expect(await app.call('GET /data', text)).toMatchObject({ status: 200 });
      }

      const load = new Load();
      load.add('cached', get(cached, 'GET /data', known.text));
      load.add('public', get(cached, 'GET /health'));
      load.add('public with a cached key', get(cached, 'GET /health', known.text));
      load.add('no cache', get(uncached, 'GET /data', known.text));
      load.add('no cache, public', get(uncached, 'GET /health'));
      await load.continue(5);

      load.phase = 'changing';
      await server.kill();
      load.phase = 'down';
      load.add('not cached', get(cached, 'GET /data', unknown.text));
      load.add('not cached, public', get(cached, 'GET /health', unknown.text));
      load.add('management', get(cached, `GET /keys/${known.record.id}`, manager.text));
      load.add('management, writing', () =>
        cached.call('POST /keys', manager.text, { name: 'n', scopes: ['data:read'] }),
      );
      load.add('without a key', get(cached, 'GET /data'));
      await load.continue(5);

      load.phase = 'changing';
      await server.start();
      // Nothing is restarted: whoever asks finds the way back alone.
      await until('every application works', async () => {
        const answers = [await cached.call('GET /data', unknown.text), await uncached.call('GET /data', known.text)];
        return answers.every(({ status }) => status === 200);
      });
      load.phase = 'up';
      await load.continue(3);
      await load.stop();
      expect(OUTAGE.map(([who]) => [who, load.answers(who, 'down')])).toEqual(OUTAGE);
      const afterwards = load.seen.slice(load.seen.findLastIndex(({ phase }) => phase === 'changing') + 1);
      for (const { who, status } of afterwards) expect([who, status]).toEqual([who, statusWhenUp(who)]);
      // Also while it went and came: no answer but what is promised.
      for (const { who, status, code } of load.seen) {
        if (status !== statusWhenUp(who)) expect([who, status, code]).toEqual([who, 503, 'key_store_unavailable']);
        if (who.includes('public') || who === 'cached') expect([who, status]).toEqual([who, 200]);
      }

      // The bus is back too, by itself: what one application ends, the other denies.
      await until('a revocation is heard', async () => {
        const { record, text } = await cached.issue();
        expect(await peer.call('GET /data', text)).toMatchObject({ status: 200 });
        await cached.service.forTenant('acme').revoke(record.id);
        return await eventually(async () => (await peer.call('GET /data', text)).status === 401, 500);
      });
      await cached.service.forTenant('acme').revoke(doomed.record.id);
      expect(await cached.call('GET /data', doomed.text)).toMatchObject(refusal(401, 'invalid_api_key'));
      expect(await uncached.call('GET /data', doomed.text)).toMatchObject(refusal(401, 'invalid_api_key'));
      for (const app of [cached, uncached, peer]) {
        expect(app.log.textOf()).not.toMatch(/ECONNREFUSED|password|127\.0\.0\.1:\d+/);
      }
    } finally {
      process.off('unhandledRejection', note);
    }
    expect(rejections).toEqual([]);
  });
});

async function eventually(holds: () => Promise<boolean>, milliseconds: number): Promise<boolean> {
  for (const deadline = Date.now() + milliseconds; Date.now() < deadline;) {
    if (await holds()) return true;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  return false;
}

async function until(what: string, holds: () => Promise<boolean>): Promise<void> {
  if (!(await eventually(holds, 20_000))) throw new Error(`Not within 20 seconds: ${what}`);
}
