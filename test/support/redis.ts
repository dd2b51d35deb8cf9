import { Redis } from 'ioredis';
import { isAvailable } from './is-available.js';
import { freePort, ServerDirectory, type StopMode, TestProcess } from './test-process.js';

/** A Redis that answers; it may be shared, so use keys and channels of your own. */
export interface TestRedis {
  readonly url: string;
  dispose(): Promise<void>;
}

/** A Redis of this suite's own, empty at the start. */
export interface OwnRedis extends TestRedis {
  readonly port: number;
  /** `kill` is SIGKILL. Without `appendOnly`, all data is gone either way. */
  stop(mode?: StopMode): Promise<void>;
  /** Starts it again on the same port. */
  start(): Promise<void>;
}

export interface OwnRedisOptions {
  /** Writes every change to disk before it is acknowledged, so that data outlives a kill. */
  readonly appendOnly?: boolean;
  /** More of `redis-server`'s options, such as `['--maxmemory', '1mb']`. */
  readonly args?: readonly string[];
}

/** `KEYFENCE_TEST_REDIS_URL`, else a server of this suite's own; `undefined`, said loudly, without either. */
export async function redisHere(): Promise<TestRedis | undefined> {
  const url = process.env.KEYFENCE_TEST_REDIS_URL;
  if (url === undefined || url === '') return await startRedis();
  await ping(url);
  return { url, dispose: () => Promise.resolve() };
}

/**
 * For tests that kill and restart: always a `redis-server` of this machine. `undefined`, said loudly, if there is none; that fails
 * under `KEYFENCE_REQUIRE_ALL=1`.
 */
export async function startRedis(options: OwnRedisOptions = {}): Promise<OwnRedis | undefined> {
  return hasRedis('what needs Redis') ? await startOwnRedis(await freePort(), options) : undefined;
}

export function hasRedis(purpose: string): boolean {
  return isAvailable('redis-server', purpose);
}

export async function startOwnRedis(port: number, options: OwnRedisOptions = {}): Promise<OwnRedis> {
  const directory = new ServerDirectory('redis');
  const url = `redis://127.0.0.1:${port}`;
  const persistence = options.appendOnly ? ['--appendonly', 'yes', '--appendfsync', 'always'] : ['--appendonly', 'no'];
  const address = ['--bind', '127.0.0.1', '--port', `${port}`, '--dir', directory.path];
  const server = new TestProcess(directory, {
    file: 'redis-server',
    args: [...address, '--save', '', ...persistence, ...(options.args ?? [])],
    orderly: 'SIGTERM',
    answers: () => ping(url),
  });
  const dispose = async () => {
    await server.stop();
    await directory.remove();
  };
  try {
    await server.start();
  } catch (error) {
    await dispose();
    throw error;
  }
  return { url, port, dispose, stop: (mode) => server.stop(mode), start: () => server.start() };
}

async function ping(url: string): Promise<void> {
  const client = new Redis(url, {
    lazyConnect: true,
    // A node of a cluster that is still forming is not "ready", but it answers.
    enableReadyCheck: false,
    retryStrategy: () => null,
    maxRetriesPerRequest: 0,
  });
  // A refused connection is also emitted; the rejection says it already.
  client.on('error', () => undefined);
  // Not in the "try": closing a refused connection would leave a timer of two seconds, which holds Jest back.
  await client.connect();
  try {
    await client.ping();
  } finally {
    client.disconnect();
  }
}
