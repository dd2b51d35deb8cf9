import { afterAll } from '@jest/globals';
import { Redis } from 'ioredis';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ManagedApiKeyStore } from '../../../src/api-key/api-key.store.js';
import { InMemoryApiKeyStore } from '../../../src/api-key/in-memory-api-key.store.js';
import type { TenantId } from '../../../src/principal/tenant-id.js';
import { PostgresApiKeyStore } from '../../../src/stores/postgres/index.js';
import { RedisApiKeyStore } from '../../../src/stores/redis/index.js';
import { SqliteApiKeyStore } from '../../../src/stores/sqlite/index.js';
import { startPostgres } from '../../support/postgres.js';
import { redisHere } from '../../support/redis.js';
import { sqliteDriversHere } from '../../support/sqlite.js';

/** A store that nobody else uses, empty at first. */
export interface OpenedStore {
  readonly store: ManagedApiKeyStore;
  /** The same keys over another connection, as another process would have them; in memory the same object. */
  readonly another: () => Promise<ManagedApiKeyStore>;
  /** All that is kept, as whoever steals the data sees it. */
  readonly dump: () => Promise<string>;
}

/** A kind of store that works here. */
export interface StoreHere {
  readonly name: string;
  readonly open: () => Promise<OpenedStore>;
  readonly dispose: () => Promise<void>;
}

/** `undefined`, said loudly by whoever starts the service, where it cannot be tested. */
type Prepare = () => Promise<StoreHere | undefined>;

/** To test one more store is one more name here. */
const STORES: readonly Prepare[] = [prepareMemory, prepareSqlite, preparePostgres, prepareRedis];

/** Every store that works here, for `describe.each(stores)('$name', ...)`; their services end with the file. */
export async function storesForThisFile(): Promise<readonly StoreHere[]> {
  const prepared = await Promise.all(STORES.map((prepare) => prepare()));
  const stores = prepared.filter((store) => store !== undefined);
  afterAll(() => Promise.all(stores.map((store) => store.dispose())));
  return stores;
}

let opened = 0;

/** A name that nothing else in a shared service has. */
function freshName(): string {
  opened += 1;
  return `acceptance_${process.pid}_${Date.now().toString(36)}_${opened}`;
}

function prepareMemory(): Promise<StoreHere> {
  const open = (): Promise<OpenedStore> => {
    const store = new InMemoryApiKeyStore();
    const dump = async (): Promise<string> => {
      const pages = ['acme', 'globex'].map((tenant) =>
        store.list(tenant as TenantId, { limit: 200, includeRevoked: true }),
      );
      return JSON.stringify(await Promise.all(pages));
    };
    return Promise.resolve({ store, another: () => Promise.resolve(store), dump });
  };
  return Promise.resolve({ name: 'memory', open, dispose: () => Promise.resolve() });
}

function prepareSqlite(): Promise<StoreHere | undefined> {
  const [first] = sqliteDriversHere();
  if (first === undefined) return Promise.resolve(undefined);
  const [driver] = first;
  const folder = mkdtempSync(join(tmpdir(), 'keyfence-acceptance-'));
  const stores: SqliteApiKeyStore[] = [];
  const openAt = async (path: string): Promise<SqliteApiKeyStore> => {
    const store = await SqliteApiKeyStore.open(path, { driver });
    stores.push(store);
    return store;
  };
  const open = async (): Promise<OpenedStore> => {
    const name = freshName();
    const path = join(folder, name);
    // The files as they are, with the write-ahead log beside the database.
    const dump = (): Promise<string> => {
      const files = readdirSync(folder).filter((file) => file.startsWith(name));
      return Promise.resolve(files.map((file) => readFileSync(join(folder, file), 'latin1')).join('\n'));
    };
    return { store: await openAt(path), another: () => openAt(path), dump };
  };
  const dispose = (): Promise<void> => {
    for (const store of stores) store.close();
    rmSync(folder, { recursive: true });
    return Promise.resolve();
  };
  return Promise.resolve({ name: 'SQLite', open, dispose });
}

async function preparePostgres(): Promise<StoreHere | undefined> {
  const server = await startPostgres();
  if (server === undefined) return undefined;
  const database = await server.createDatabase();
  const pool = database.createPool();
  const anotherPool = database.createPool();
  const open = async (): Promise<OpenedStore> => {
    const table = freshName();
    const store = new PostgresApiKeyStore(pool, { table });
    await store.migrate();
    const dump = async (): Promise<string> => {
      const { rows } = await pool.query<{ row: string }>(`select to_jsonb(k)::text as row from ${table} k`);
      return rows.map(({ row }) => row).join('\n');
    };
    return { store, another: () => Promise.resolve(new PostgresApiKeyStore(anotherPool, { table })), dump };
  };
  return { name: 'PostgreSQL', open, dispose: () => server.dispose() };
}

async function prepareRedis(): Promise<StoreHere | undefined> {
  const server = await redisHere();
  if (server === undefined) return undefined;
  const clients = [new Redis(server.url), new Redis(server.url)] as const;
  const open = (): Promise<OpenedStore> => {
    const keyPrefix = `{${freshName()}}:`;
    return Promise.resolve({
      store: new RedisApiKeyStore(clients[0], { keyPrefix }),
      another: () => Promise.resolve(new RedisApiKeyStore(clients[1], { keyPrefix })),
      dump: () => dumpOf(clients[0], keyPrefix),
    });
  };
  const dispose = async (): Promise<void> => {
    for (const client of clients) client.disconnect();
    await server.dispose();
  };
  return { name: 'Redis', open, dispose };
}

async function dumpOf(client: Redis, prefix: string): Promise<string> {
  const parts: unknown[] = [];
  for (const name of await client.keys(`${prefix}*`)) {
    parts.push([name, await contentOf(client, name)]);
  }
  return JSON.stringify(parts);
}

async function contentOf(client: Redis, name: string): Promise<unknown> {
  switch (await client.type(name)) {
    case 'hash':
      return client.hgetall(name);
    case 'zset':
      return client.zrange(name, '0', '-1');
    case 'set':
      return client.smembers(name);
    default:
      return client.get(name);
  }
}
