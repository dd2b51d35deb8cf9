import { afterAll, afterEach, describe, expect, it } from '@jest/globals';
import { Redis } from 'ioredis';
import { createClient } from 'redis';
import type { ApiKeyRecord } from '../../../src/api-key/api-key-record.js';
import { withDeadline } from '../../../src/api-key/deadline.js';
import { RedisApiKeyStore } from '../../../src/stores/redis/index.js';
import { startRedis } from '../../support/redis.js';
import { newRecord, until } from './records.js';
import { freshPrefix, type ConnectedClient } from './redis-clients.js';

const server = await startRedis({ appendOnly: true });

afterAll(() => server?.dispose());

/** What the authenticator gives a lookup, made short. */
const DEADLINE_MS = 400;

interface Lookup {
  readonly took: number;
  readonly outcome: 'found' | 'none' | 'rejected';
  readonly error?: string;
}

(server ? describe : describe.skip)('RedisApiKeyStore over an outage', () => {
  const url = server?.url ?? '';
  let close: (() => void) | undefined;
  let restore: (() => Promise<void>) | undefined;

  afterEach(async () => {
    await restore?.();
    restore = undefined;
    close?.();
  });

  describe.each([
    ['ioredis as it is', () => ioRedis({}), []],
    [
      'ioredis as advised',
      () => ioRedis({ maxRetriesPerRequest: 1, commandTimeout: 300 }),
      ['killed', 'stopped in its tracks'],
    ],
    ['node-redis as it is', () => nodeRedis(false), []],
    ['node-redis as advised', () => nodeRedis(true), ['killed']],
  ])('with %s', (_name, connect, rejectsByItself: readonly string[]) => {
    it.each(['killed', 'stopped in its tracks'] as const)(
      'denies while Redis is %s, recovers unaided, and keeps what was acknowledged',
      async (how) => {
        const connected = await connect();
        ({ close } = connected);
        const store = new RedisApiKeyStore(connected.client, { keyPrefix: freshPrefix() });
        const first = newRecord();
        const acknowledged = [first];
        await store.insert(first);
        const lookups: Lookup[] = [];
        const load = new AbortController();
        const loops = [
          ...Array.from({ length: 8 }, () => lookUpUntil(load.signal, store, acknowledged, lookups)),
          insertUntil(load.signal, store, acknowledged),
        ];
        await until('there is load', () => lookups.length > 200 && acknowledged.length > 20);
        expect(new Set(lookups.map(({ outcome }) => outcome))).toEqual(new Set(['found']));
        const { down, up } = outage(how, await processOf(connected));
        await down();
        restore = up;
        const before = lookups.length;
        await until('lookups are denied', () => lookups.slice(before).filter(isRejected).length >= 16);
        const during = lookups.length;
        await until('more are denied', () => lookups.length >= during + 16);
        expect(new Set(lookups.slice(during).map(({ outcome }) => outcome))).toEqual(new Set(['rejected']));
        const byDeadline = lookups.slice(during).filter(({ error }) => error?.startsWith('No answer within'));
        if (rejectsByItself.includes(how)) expect(byDeadline).toEqual([]);
        await up();
        restore = undefined;
        const after = lookups.length;
        await until('lookups are answered', () => lookups.slice(after).filter(isFound).length > 200);
        load.abort();
        await Promise.all(loops);
        // Never "unknown key": nobody may take an outage for an answer.
        expect(lookups.filter(({ outcome }) => outcome === 'none')).toEqual([]);
        expect(Math.max(...lookups.map(({ took }) => took))).toBeLessThan(DEADLINE_MS + 1_000);
        const found = await Promise.all(acknowledged.map(({ locator }) => store.findByLocator(locator)));
        expect(found).toEqual(acknowledged);
      },
      30_000,
    );
  });

  function ioRedis(options: object): Promise<ConnectedClient> {
    const client = new Redis(url, { retryStrategy: () => 20, ...options });
    client.on('error', () => undefined);
    return Promise.resolve({
      client,
      close: () => {
        client.disconnect();
      },
    });
  }

  async function nodeRedis(advised: boolean): Promise<ConnectedClient> {
    const client = createClient({
      url,
      socket: { reconnectStrategy: () => 20 },
      disableOfflineQueue: advised,
    });
    client.on('error', () => undefined);
    await client.connect();
    return {
      client,
      close: () => {
        client.destroy();
      },
    };
  }
});

function outage(
  how: 'killed' | 'stopped in its tracks',
  pid: number,
): { readonly down: () => Promise<void>; readonly up: () => Promise<void> } {
  if (how === 'killed') {
    return { down: async () => server?.stop('kill'), up: async () => server?.start() };
  }
  const signal = (name: NodeJS.Signals) => (): Promise<void> => {
    process.kill(pid, name);
    return Promise.resolve();
  };
  return { down: signal('SIGSTOP'), up: signal('SIGCONT') };
}

async function processOf({ client }: ConnectedClient): Promise<number> {
  const info = 'call' in client ? client.call('INFO', ['server']) : (client as Plain).sendCommand(['INFO', 'server']);
  return Number(/process_id:(\d+)/.exec(String(await info))?.[1]);
}

interface Plain {
  sendCommand(args: string[]): Promise<unknown>;
}

async function lookUpUntil(
  signal: AbortSignal,
  store: RedisApiKeyStore,
  acknowledged: readonly ApiKeyRecord[],
  lookups: Lookup[],
): Promise<void> {
  for (let count = 0; !signal.aborted; count += 1) {
    const locator = acknowledged[count % acknowledged.length]?.locator ?? '';
    const start = performance.now();
    let outcome: Lookup['outcome'] = 'rejected';
    let error: string | undefined;
    try {
      outcome = (await withDeadline(store.findByLocator(locator), DEADLINE_MS)) === null ? 'none' : 'found';
    } catch (thrown) {
      error = thrown instanceof Error ? thrown.message : String(thrown);
    }
    lookups.push({ took: performance.now() - start, outcome, error });
    // Whoever is refused at once does not ask again at once.
    await new Promise((resolve) => setTimeout(resolve, outcome === 'found' ? 0 : 10));
  }
}

async function insertUntil(signal: AbortSignal, store: RedisApiKeyStore, acknowledged: ApiKeyRecord[]): Promise<void> {
  while (!signal.aborted) {
    const record = newRecord();
    const inserted = await store.insert(record).catch(() => false);
    if (inserted) acknowledged.push(record);
    await new Promise((resolve) => setTimeout(resolve, inserted ? 1 : 10));
  }
}

function isFound({ outcome }: Lookup): boolean {
  return outcome === 'found';
}

function isRejected({ outcome }: Lookup): boolean {
  return outcome === 'rejected';
}
