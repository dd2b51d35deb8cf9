import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { Redis } from 'ioredis';
import { RedisApiKeyStore } from '../../../src/stores/redis/index.js';
import { startRedis } from '../../support/redis.js';
import { newRecord } from './records.js';
import { connectIoRedis, freshPrefix } from './redis-clients.js';
import { allOf, faultsOf } from './redis-integrity.js';
import { RedisProgram, type Said } from './redis-processes.js';

const server = await startRedis({ appendOnly: true });

afterAll(() => server?.dispose());

(server ? describe : describe.skip)('RedisApiKeyStore in several processes', () => {
  const url = server?.url ?? '';
  let program: RedisProgram;
  let raw: Redis;

  beforeAll(() => {
    program = new RedisProgram();
    raw = connectIoRedis(url).client;
  }, 30_000);

  afterAll(() => {
    raw.disconnect();
    program.remove();
  });

  it('of two that rotate the same keys, each key is rotated by exactly one', async () => {
    const keyPrefix = freshPrefix();
    const store = new RedisApiKeyStore(raw, { keyPrefix });
    const records = Array.from({ length: 300 }, () => newRecord());
    await Promise.all(records.map((record) => store.insert(record)));
    const ids = records.map(({ id }) => id);
    const racers = await Promise.all([1, 2].map(() => program.start(url, keyPrefix, 'rotate', ...ids)));
    for (const racer of racers) racer.begin();
    expect(await Promise.all(racers.map((racer) => racer.end()))).toEqual([0, 0]);
    const won = racers.map(({ said }) => idsThat(said, 'rotated'));
    expect(won.flat().sort()).toEqual([...ids].sort());
    // Both tried each.
    const lost = racers.flatMap(({ said }) => idsThat(said, 'refused'));
    expect(lost.sort()).toEqual([...ids].sort());
    await expect(faultsOf(store, raw, keyPrefix)).resolves.toEqual([]);
    await expect(allOf(store)).resolves.toHaveLength(2 * ids.length);
  }, 60_000);

  it('one that is killed in the midst of changes leaves no half of any, and loses none that it was told is done', async () => {
    const keyPrefix = freshPrefix();
    const store = new RedisApiKeyStore(raw, { keyPrefix });
    const shared = newRecord();
    await store.insert(shared);
    let rotated = 0;
    for (let round = 0; round < 6; round += 1) {
      const victim = await program.start(url, keyPrefix, 'churn', shared.id);
      victim.begin();
      const least = 20 + 17 * round;
      await victim.until('it has rotated some', (said) => idsThat(said, 'rotated').length >= least);
      await expect(victim.kill()).resolves.toBe('SIGKILL');
      const records = new Map((await allOf(store)).map((record) => [record.id, record]));
      const pairs = victim.said.flatMap((said) => (said.did === 'rotated' ? [[said.id, said.to] as const] : []));
      expect(pairs.filter(([id, to]) => records.get(id)?.rotatedTo !== to)).toEqual([]);
      const revoked = idsThat(victim.said, 'revoked');
      expect(revoked.filter((id) => records.get(id)?.revokedAt === undefined)).toEqual([]);
      expect(revoked.length).toBeGreaterThan(0);
      rotated += pairs.length;
    }
    await expect(faultsOf(store, raw, keyPrefix)).resolves.toEqual([]);
    expect(rotated).toBeGreaterThan(200);
  }, 60_000);

  it('finds a half of a rotation if there is one (control)', async () => {
    const keyPrefix = freshPrefix();
    const store = new RedisApiKeyStore(raw, { keyPrefix });
    const record = newRecord();
    await store.insert(record);
    await expect(faultsOf(store, raw, keyPrefix)).resolves.toEqual([]);
    const key = `${keyPrefix}key:${record.locator}`;
    await raw.hset(key, { rotatedTo: 'key_none', graceEndsAt: '1', version: '2' });
    await expect(faultsOf(store, raw, keyPrefix)).resolves.toEqual([
      expect.stringContaining('not there'),
      'ends: 0 and 1',
    ]);
    await raw.hdel(key, 'rotatedTo', 'graceEndsAt');
    await raw.hset(key, { lineageId: 'key_other', version: '1' });
    await expect(faultsOf(store, raw, keyPrefix)).resolves.toEqual([expect.stringContaining('does not say so')]);
  });

  it('what was acknowledged outlives a kill of Redis in the midst of changes, and no half of any is left', async () => {
    const keyPrefix = freshPrefix();
    const store = new RedisApiKeyStore(raw, { keyPrefix });
    for (let round = 0; round < 3; round += 1) {
      const churning = await program.start(url, keyPrefix, 'churn');
      churning.begin();
      await churning.until('it has rotated some', (said) => idsThat(said, 'rotated').length >= 40);
      await server?.stop('kill');
      const acknowledged = churning.said.length;
      await server?.start();
      // The process goes on by itself with the Redis that started anew.
      await churning.until('it goes on', (said) => said.length > acknowledged + 40);
      await expect(churning.kill()).resolves.toBe('SIGKILL');
      const records = new Map((await allOf(store)).map((record) => [record.id, record]));
      const pairs = churning.said.flatMap((said) => (said.did === 'rotated' ? [[said.id, said.to] as const] : []));
      expect(pairs.filter(([id, to]) => records.get(id)?.rotatedTo !== to)).toEqual([]);
      const revoked = idsThat(churning.said, 'revoked');
      expect(revoked.filter((id) => records.get(id)?.revokedAt === undefined)).toEqual([]);
      // A command whose answer was lost was sent again, and still answered as done.
      expect(idsThat(churning.said, 'refused')).toEqual([]);
    }
    await expect(faultsOf(store, raw, keyPrefix)).resolves.toEqual([]);
    await expect(allOf(store)).resolves.not.toHaveLength(0);
    expect(await raw.config('GET', 'appendfsync')).toEqual(['appendfsync', 'always']);
  }, 60_000);
});

function idsThat(said: readonly Said[], did: 'rotated' | 'refused' | 'revoked'): string[] {
  return said.flatMap((one) => (one.did === did ? [one.id] : []));
}
