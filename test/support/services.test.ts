import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Cluster, Redis } from 'ioredis';
import type pg from 'pg';
import { startPostgres } from './postgres.js';
import { startRedisCluster } from './redis-cluster.js';
import { redisHere, startRedis } from './redis.js';
import { sqliteDriversHere } from './sqlite.js';

const postgres = await startPostgres();
const redis = await redisHere();
const ownRedis = await startRedis({ appendOnly: true });
const cluster = await startRedisCluster();

afterAll(async () => {
  for (const service of [postgres, redis, ownRedis, cluster]) await service?.dispose();
});

(postgres ? describe : describe.skip)('PostgreSQL', () => {
  let pool: pg.Pool;

  beforeAll(async () => {
    const database = await postgres?.createDatabase();
    if (database) pool = database.createPool();
  });

  it('answers', async () => {
    expect((await pool.query('select 1 as one')).rows).toEqual([{ one: 1 }]);
  });

  it('gives each caller a database of its own', async () => {
    const other = (await postgres?.createDatabase())?.createPool();
    await pool.query('create table mine (id int)');
    await expect(other?.query('select * from mine')).rejects.toThrow('does not exist');
  });

  it.each(['kill', 'orderly'] as const)('keeps what was committed over a stop of the kind "%s"', async (mode) => {
    await pool.query('create table if not exists kept (mode text)');
    await pool.query('insert into kept values ($1)', [mode]);
    await postgres?.stop(mode);
    await expect(pool.query('select 1')).rejects.toThrow();
    await postgres?.start();
    expect((await pool.query('select mode from kept where mode = $1', [mode])).rows).toEqual([{ mode }]);
  });
});

(redis ? describe : describe.skip)('Redis', () => {
  it('answers', async () => {
    const client = new Redis(redis?.url ?? '');
    try {
      expect(await client.ping()).toBe('PONG');
    } finally {
      client.disconnect();
    }
  });
});

(ownRedis ? describe : describe.skip)('Redis of its own', () => {
  it('is killed and starts again on the same port, with its data if append-only', async () => {
    const client = new Redis(ownRedis?.url ?? '', { maxRetriesPerRequest: 0, retryStrategy: () => 20 });
    client.on('error', () => undefined);
    try {
      await client.set('kept', 'yes');
      await ownRedis?.stop('kill');
      await expect(client.get('kept')).rejects.toThrow();
      await ownRedis?.start();
      await expect(retried(() => client.get('kept'))).resolves.toBe('yes');
    } finally {
      client.disconnect();
    }
  });

  it('leaves nothing behind', async () => {
    const passing = await startRedis();
    const client = new Redis(passing?.url ?? '');
    const [, directory] = (await client.config('GET', 'dir')) as [string, string];
    client.disconnect();
    expect(existsSync(directory)).toBe(true);
    await passing?.dispose();
    expect(existsSync(directory)).toBe(false);
  });
});

(cluster ? describe : describe.skip)('Redis cluster', () => {
  it('serves keys from all three nodes', async () => {
    const client = new Cluster([...(cluster?.startupNodes ?? [])]);
    const keys = Array.from({ length: 30 }, (_, i) => `key-${i}`);
    try {
      for (const key of keys) await client.set(key, key);
      expect(await Promise.all(keys.map((key) => client.get(key)))).toEqual(keys);
      const sizes = await Promise.all(client.nodes('master').map((node) => node.dbsize()));
      expect(sizes.map((size) => size > 0)).toEqual([true, true, true]);
    } finally {
      client.disconnect();
    }
  });
});

describe.each(sqliteDriversHere())('SQLite through %s', (_name, open) => {
  it('opens in memory', () => {
    const database = open(':memory:');
    expect(database.prepare('select 1 as one').get()).toMatchObject({ one: 1 });
    database.close();
  });

  it('opens a file and finds it again', () => {
    const folder = mkdtempSync(join(tmpdir(), 'keyfence-sqlite-'));
    try {
      const first = open(join(folder, 'a.db'));
      first.exec('create table kept (value text)');
      expect(first.prepare('insert into kept values (?)').run('yes')).toMatchObject({ changes: 1 });
      first.close();
      const second = open(join(folder, 'a.db'));
      expect(second.prepare('select value from kept').all()).toMatchObject([{ value: 'yes' }]);
      second.close();
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});

/** The first answer after a reconnection. */
async function retried<T>(ask: () => Promise<T>, attempts = 100): Promise<T> {
  for (let left = attempts; ; left -= 1) {
    try {
      return await ask();
    } catch (error) {
      if (left === 0) throw error;
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }
}
