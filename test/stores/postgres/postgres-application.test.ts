import { Controller, Get, Inject, Injectable, Module, type OnModuleDestroy } from '@nestjs/common';
import { beforeEach, describe, expect, it, jest } from '@jest/globals';
import pg from 'pg';
import { ApiKeyService } from '../../../src/api-key/api-key.service.js';
import { KeyfenceModule } from '../../../src/keyfence.module.js';
import { RequireScopes } from '../../../src/scope/require-scopes.decorator.js';
import { PostgresApiKeyStore, PostgresInvalidationBus } from '../../../src/stores/postgres/index.js';
import { PLATFORMS, startApp, type TestApp } from '../../support/adapters.js';
import type { TestDatabase } from '../../support/postgres.js';
import { composeKey } from '../../support/sample-key.js';
import { columnOf, describeWith, freshDatabase, postgresForThisFile, until } from './postgres-here.js';

const server = await postgresForThisFile();

jest.setTimeout(60_000);

@Controller('files')
class FilesController {
  @Get()
  @RequireScopes('files:read')
  list(): object {
    return { listed: true };
  }
}

/** As a team has it: one pool for all, ended with the application. */
@Injectable()
class DatabasePool extends pg.Pool implements OnModuleDestroy {
  constructor(@Inject('CONNECTION') connectionString: string) {
    super({ connectionString, connectionTimeoutMillis: 2_000 });
  }

  onModuleDestroy(): Promise<void> {
    return this.end();
  }
}

describeWith(server)('an application with its keys in PostgreSQL', () => {
  let database: TestDatabase;

  beforeEach(async () => {
    database = await freshDatabase(server);
  });

  const start = (platform = PLATFORMS[0], migrate = true): Promise<TestApp> => {
    if (platform === undefined) throw new Error('There is no platform.');
    @Module({
      providers: [DatabasePool, { provide: 'CONNECTION', useValue: database.connectionString }],
      exports: [DatabasePool],
    })
    class DatabaseModule {}
    const keyfence = KeyfenceModule.forRootAsync({
      imports: [DatabaseModule],
      inject: [DatabasePool],
      useFactory: async (pool: DatabasePool) => {
        const store = new PostgresApiKeyStore(pool);
        if (migrate) await store.migrate();
        // So long that only the bus can be what ends a key.
        return { store, cache: { ttl: '1h', negativeTtl: '1h', bus: new PostgresInvalidationBus(pool) } };
      },
    });
    return startApp(platform, { imports: [keyfence], controllers: [FilesController] });
  };

  describe.each(PLATFORMS)('on $name', (platform) => {
    it('ends a revoked key in the other application too, though both have it cached', async () => {
      await using one = await start(platform);
      await using two = await start(platform);
      const keys = one.app.get(ApiKeyService).forTenant('acme');
      const { record, secret } = await keys.issue({ name: 'ci', scopes: ['files:read'] });
      const statusAt = async (app: TestApp): Promise<number> =>
        (await app.send('GET /files', { key: secret.reveal() })).status;
      expect([await statusAt(one), await statusAt(two)]).toEqual([200, 200]);
      await keys.revoke(record.id);
      expect(await statusAt(one)).toBe(401);
      await until('the other one refuses it', async () => (await statusAt(two)) === 401, 5_000);
    });
  });

  it('answers 503 while the server is down, and works again when it is back', async () => {
    await using app = await start();
    const keys = app.app.get(ApiKeyService).forTenant('acme');
    const [cached, fresh] = [
      await keys.issue({ name: 'cached', scopes: ['files:read'] }),
      await keys.issue({ name: 'fresh', scopes: ['files:read'] }),
    ];
    const ask = (key: typeof fresh): ReturnType<TestApp['send']> =>
      app.send('GET /files', { key: key.secret.reveal() });
    expect((await ask(cached)).status).toBe(200);
    await server?.stop('kill');
    try {
      expect((await ask(fresh)).body).toMatchObject({ statusCode: 503, errorCode: 'key_store_unavailable' });
      await expect(keys.issue({ name: 'lost', scopes: ['files:read'] })).rejects.toMatchObject({
        errorCode: 'key_store_unavailable',
      });
    } finally {
      await server?.start();
    }
    expect((await ask(fresh)).status).toBe(200);
    expect((await keys.list()).items.map(({ name }) => name).sort()).toEqual(['cached', 'fresh']);
  });

  it('refuses everybody without its table, and says in the log what to do', async () => {
    await using app = await start(undefined, false);
    const { body, text } = await app.send('GET /files', { key: composeKey() });
    expect(body).toMatchObject({ statusCode: 503, errorCode: 'key_store_unavailable' });
    expect(text).not.toMatch(/migrate|keyfence_api_keys|relation/);
    expect(app.log.textOf('error')).toContain('call await store.migrate()');
  });

  it('ends although the pool is ended first, and leaves no connection', async () => {
    const app = await start();
    const closed = app.close().then(() => 'closed');
    await until(
      'it is closed',
      async () => (await Promise.race([closed, Promise.resolve('closing')])) === 'closed',
      10_000,
    );
    const pool = database.createPool();
    const others = `select count(*)::int from pg_stat_activity where datname = current_database()
      and pid <> pg_backend_pid()`;
    await until('its connections are gone', async () => (await columnOf(pool, others))[0] === 0, 5_000);
  });
});
