import { Redis } from 'ioredis';
import pg from 'pg';
import type { KeyInvalidationBus, ManagedApiKeyStore } from 'nestjs-keyfence';
import { answerParent } from './child.js';
import { PostgresApiKeyStore, PostgresInvalidationBus, RedisApiKeyStore, RedisInvalidationBus } from './internals.js';
import { KeyServices, requestWith } from './key-services.js';

/**
 * One process of an application, that asks again and again whether a key still works:
 * `node revocation-process.js <redis|postgres> <url> <bus|none> <ttl in milliseconds>`.
 */

export type RevocationQuestion =
  /** Is answered when the cache knows these keys and they are asked about. */
  | { readonly watch: readonly string[] }
  /** Is answered when each of the keys was denied. */
  | { readonly until: readonly string[] };

/** In milliseconds of a clock that all processes of the machine share. */
export interface Denial {
  /** When the first question began that was answered with a denial. */
  readonly deniedAt: number;
  /** When the last question began that was answered with a principal. */
  readonly admittedAt: number;
}

/** Between two rounds of questions: the resolution of what is measured. */
const PAUSE_MS = 1;

export function connect(
  kind: string,
  url: string,
): { readonly store: ManagedApiKeyStore; readonly bus: KeyInvalidationBus; close(): Promise<void> } {
  if (kind === 'redis') {
    const client = new Redis(url);
    return {
      store: new RedisApiKeyStore(client),
      bus: new RedisInvalidationBus(client),
      close: () => {
        client.disconnect();
        return Promise.resolve();
      },
    };
  }
  const pool = new pg.Pool({ connectionString: url, max: 3, connectionTimeoutMillis: 5_000 });
  return { store: new PostgresApiKeyStore(pool), bus: new PostgresInvalidationBus(pool), close: () => pool.end() };
}

/** Monotonic, and the same in every process of the machine. */
export function machineTime(): number {
  return Number(process.hrtime.bigint()) / 1e6;
}

async function serve(kind: string, url: string, busName: string, ttl: number): Promise<void> {
  const { store, bus } = connect(kind, url);
  const services = new KeyServices({ store, cache: busName === 'none' ? { ttl } : { ttl, bus } });
  await services.start();
  const watched = new Map<string, ReturnType<typeof requestWith>>();
  const admitted = new Map<string, number>();
  const denied = new Map<string, number>();

  const ask = async (text: string, request: ReturnType<typeof requestWith>): Promise<void> => {
    const at = machineTime();
    const { status } = await services.authenticator.authenticate(request, request);
    if (status === 'authenticated') {
      admitted.set(text, at);
      return;
    }
    if (status !== 'invalid' || !admitted.has(text)) throw new Error(`A key was answered '${status}'.`);
    denied.set(text, at);
    watched.delete(text);
  };
  const round = async (): Promise<void> => {
    await Promise.all([...watched].map(([text, request]) => ask(text, request)));
    setTimeout(() => void round(), PAUSE_MS);
  };
  const settled = async (condition: () => boolean): Promise<void> => {
    while (!condition()) await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
  };
  void round();

  answerParent('ready', async (question) => {
    const asked = question as RevocationQuestion;
    if ('watch' in asked) {
      for (const text of asked.watch) watched.set(text, requestWith(text));
      await settled(() => asked.watch.every((text) => admitted.has(text)));
      return 'warm';
    }
    await settled(() => asked.until.every((text) => denied.has(text)));
    return asked.until.map((text): Denial => ({
      deniedAt: denied.get(text) ?? Number.NaN,
      admittedAt: admitted.get(text) ?? Number.NaN,
    }));
  });
}

const [kind, url, busName = 'none', ttl = '30000'] = process.argv.slice(2);
if (process.send !== undefined && kind !== undefined && url !== undefined) await serve(kind, url, busName, Number(ttl));
