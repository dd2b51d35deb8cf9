import { afterAll, describe, expect, it } from '@jest/globals';
import { Cluster } from 'ioredis';
import { RedisApiKeyStore } from '../../../src/stores/redis/index.js';
import { startRedisCluster } from '../../support/redis-cluster.js';
import { ACME, newRecord, rotation } from './records.js';
import { connectIoRedis, freshPrefix } from './redis-clients.js';

const cluster = await startRedisCluster();

afterAll(() => cluster?.dispose());

(cluster ? describe : describe.skip)('RedisApiKeyStore while a cluster moves its slot', () => {
  it('refuses a change that makes keys, and leaves no half of it', async () => {
    const client = new Cluster([...(cluster?.startupNodes ?? [])], { retryDelayOnTryAgain: 1 });
    const keyPrefix = freshPrefix();
    const store = new RedisApiKeyStore(client, { keyPrefix });
    const record = newRecord({ expiresAt: new Date(4e12) });
    await store.insert(record);
    const [old, successor] = rotation(record);
    const other = newRecord();
    const slot = await client.cluster('KEYSLOT', keyPrefix);
    const nodes = await Promise.all(
      (cluster?.nodes ?? []).map(async ({ url }) => {
        const connected = connectIoRedis(url);
        const held = Number(await connected.client.call('CLUSTER', 'COUNTKEYSINSLOT', slot));
        return { ...connected, held, id: String(await connected.client.call('CLUSTER', 'MYID')) };
      }),
    );
    const [owner, target] = nodes.toSorted((left, right) => right.held - left.held);
    try {
      await owner?.client.call('CLUSTER', 'SETSLOT', slot, 'MIGRATING', target?.id ?? '');
      await expect(store.rotate(old, successor)).rejects.toThrow();
      await expect(store.insert(other)).rejects.toThrow();
      await owner?.client.call('CLUSTER', 'SETSLOT', slot, 'STABLE');
      expect(await store.list(ACME, { limit: 10, includeRevoked: true })).toEqual({ items: [record], next: undefined });
      expect(await owner?.client.keys(`${keyPrefix}*`)).toHaveLength(4);
      await expect(store.insert(other)).resolves.toBe(true);
      await expect(store.rotate(old, successor)).resolves.toBe(true);
    } finally {
      for (const { close } of nodes) close();
      client.disconnect();
    }
  }, 30_000);
});
