import { Controller, Get } from '@nestjs/common';
import { afterAll, afterEach, describe, expect, it, jest } from '@jest/globals';
import { ApiKeyService } from '../../../src/api-key/api-key.service.js';
import { DeferredKeyWrites } from '../../../src/api-key/deferred-key-writes.service.js';
import { KeyfenceModule } from '../../../src/keyfence.module.js';
import { RequireScopes } from '../../../src/scope/require-scopes.decorator.js';
import { RedisApiKeyStore, RedisInvalidationBus } from '../../../src/stores/redis/index.js';
import { PLATFORMS, startApp, type TestApp } from '../../support/adapters.js';
import { startRedis } from '../../support/redis.js';
import { until } from './records.js';
import { connectIoRedis, connectNodeRedis, freshChannel, freshPrefix, type ConnectedClient } from './redis-clients.js';

const server = await startRedis({ appendOnly: true });
const url = server?.url ?? '';

jest.setTimeout(60_000);

afterAll(() => server?.dispose());

@Controller('files')
class FilesController {
  @Get()
  @RequireScopes('files:read')
  list(): object {
    return { listed: true };
  }
}

const LIBRARIES = [
  { library: 'ioredis', connect: (): Promise<ConnectedClient> => Promise.resolve(connectIoRedis(url)) },
  { library: 'node-redis', connect: (): Promise<ConnectedClient> => connectNodeRedis(url) },
];

(server ? describe : describe.skip)('an application with its keys in Redis', () => {
  const clients: ConnectedClient[] = [];

  afterEach(() => {
    for (const { close } of clients.splice(0)) close();
  });

  const starter = (connect: () => Promise<ConnectedClient>, platform = PLATFORMS[0]): (() => Promise<TestApp>) => {
    const [keyPrefix, channel] = [freshPrefix(), freshChannel()];
    return async () => {
      if (platform === undefined) throw new Error('There is no platform.');
      const connected = await connect();
      clients.push(connected);
      const keyfence = KeyfenceModule.forRoot({
        store: new RedisApiKeyStore(connected.client, { keyPrefix }),
        // So long that only the bus can be what ends a key.
        cache: { ttl: '1h', negativeTtl: '1h', bus: new RedisInvalidationBus(connected.client, { channel }) },
      });
      return await startApp(platform, { imports: [keyfence], controllers: [FilesController] });
    };
  };

  describe.each(PLATFORMS)('on $name', (platform) => {
    it.each(LIBRARIES)(
      'ends a revoked key in the other application too, though both have it cached, through $library',
      async ({ connect }) => {
        const start = starter(connect, platform);
        await using one = await start();
        await using two = await start();
        const keys = one.app.get(ApiKeyService).forTenant('acme');
        const { record, secret } = await keys.issue({ name: 'ci', scopes: ['files:read'] });
        const statusAt = async (app: TestApp): Promise<number> =>
          (await app.send('GET /files', { key: secret.reveal() })).status;
        expect([await statusAt(one), await statusAt(two)]).toEqual([200, 200]);
        await keys.revoke(record.id);
        expect(await statusAt(one)).toBe(401);
        await until('the other one refuses it', async () => (await statusAt(two)) === 401, 5_000);
      },
    );
  });

  describe.each(LIBRARIES)('through $library', ({ connect }) => {
    it('ends a key that was revoked while the connection of the bus was gone', async () => {
      const start = starter(connect);
      await using one = await start();
      await using two = await start();
      const keys = one.app.get(ApiKeyService).forTenant('acme');
      const { record, secret } = await keys.issue({ name: 'ci', scopes: ['files:read'] });
      const ask = async (): Promise<number> => (await two.send('GET /files', { key: secret.reveal() })).status;
      expect(await ask()).toBe(200);
      const raw = connectIoRedis(url);
      clients.push(raw);
      await raw.client.call('CLIENT', 'KILL', 'TYPE', 'pubsub');
      await keys.revoke(record.id);
      await until('the other one refuses it', async () => (await ask()) === 401, 5_000);
    });

    it('answers 503 while Redis is down, works again when it is back, and has lost no key', async () => {
      await using app = await starter(connect)();
      const keys = app.app.get(ApiKeyService).forTenant('acme');
      const { record, secret } = await keys.issue({ name: 'fresh', scopes: ['files:read'] });
      const ask = (): ReturnType<TestApp['send']> => app.send('GET /files', { key: secret.reveal() });
      await server?.stop('kill');
      try {
        expect((await ask()).body).toMatchObject({ statusCode: 503, errorCode: 'key_store_unavailable' });
      } finally {
        await server?.start();
      }
      await until('it works', async () => (await ask()).status === 200);
      expect((await keys.list()).items.map(({ id }) => id)).toEqual([record.id]);
    });

    it('notes when a key was used', async () => {
      await using app = await starter(connect)();
      const keys = app.app.get(ApiKeyService).forTenant('acme');
      const { record, secret } = await keys.issue({ name: 'ci', scopes: ['files:read'] });
      const before = new Date();
      expect((await app.send('GET /files', { key: secret.reveal() })).status).toBe(200);
      expect((await keys.get(record.id)).lastUsedAt).toBeUndefined();
      await app.app.get(DeferredKeyWrites).onModuleDestroy();
      const { lastUsedAt, version } = await keys.get(record.id);
      expect(lastUsedAt?.getTime()).toBeGreaterThanOrEqual(before.getTime());
      expect(version).toBe(1);
    });

    it('changes, rotates and lists keys', async () => {
      await using app = await starter(connect)();
      const keys = app.app.get(ApiKeyService).forTenant('acme');
      const statusOf = async (key: string): Promise<number> => (await app.send('GET /files', { key })).status;
      const first = await keys.issue({ name: 'ci', scopes: ['files:read'], metadata: { team: 'a' } });
      expect(await statusOf(first.secret.reveal())).toBe(200);
      await keys.update(first.record.id, { scopes: ['files:write'] });
      expect(await statusOf(first.secret.reveal())).toBe(403);
      await keys.update(first.record.id, { scopes: ['files:read'], metadata: null });
      const second = await keys.rotate(first.record.id, { immediate: true });
      expect([await statusOf(first.secret.reveal()), await statusOf(second.secret.reveal())]).toEqual([401, 200]);
      await expect(keys.rotate(first.record.id)).rejects.toMatchObject({ errorCode: 'key_conflict' });
      await expect(app.app.get(ApiKeyService).forTenant('globex').get(first.record.id)).rejects.toMatchObject({
        errorCode: 'key_not_found',
      });
      expect((await keys.list()).items.map(({ id, metadata }) => [id, metadata])).toEqual([
        [first.record.id, undefined],
        [second.record.id, undefined],
      ]);
    });
  });
});
