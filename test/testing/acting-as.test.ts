import { Controller, Get, Module } from '@nestjs/common';
import { describe, expect, it } from '@jest/globals';
import { InMemoryApiKeyStore } from '../../src/api-key/in-memory-api-key.store.js';
import { ApiKeyStore } from '../../src/api-key/api-key.store.js';
import { KeyfenceModule } from '../../src/keyfence.module.js';
import type { KeyfenceOptions } from '../../src/options.js';
import type { TenantId } from '../../src/principal/tenant-id.js';
import { RequireScopes } from '../../src/scope/require-scopes.decorator.js';
import { CurrentTenant } from '../../src/tenant/current-principal.decorator.js';
import { actingAs, Clock, createTestKey, FakeClock } from '../../src/testing/index.js';
import { PLATFORMS, startApp, type Platform, type TestApp } from '../support/adapters.js';

@Controller('reports')
class ReportsController {
  @Get()
  @RequireScopes('reports:read')
  read(@CurrentTenant() tenant: string): object {
    return { tenant };
  }
}

@Module({})
class AppModule {
  static with(options: KeyfenceOptions): object {
    return { module: AppModule, imports: [KeyfenceModule.forRoot(options)], controllers: [ReportsController] };
  }
}

/** Looks keys up somewhere, and adds none. */
class ReadOnlyStore extends ApiKeyStore {
  findByLocator(): Promise<null> {
    return Promise.resolve(null);
  }
}

const READER = { tenantId: 'acme', scopes: ['reports:read'] };

function start(platform: Platform, options: KeyfenceOptions, override?: readonly [object, object]): Promise<TestApp> {
  return startApp(
    platform,
    { imports: [AppModule.with(options) as never] },
    { override: (builder) => (override ? builder.overrideProvider(override[0]).useValue(override[1]) : builder) },
  );
}

describe.each(PLATFORMS)('actingAs on $name', (platform) => {
  it('gives the headers of a request that the application lets in', async () => {
    await using app = await start(platform, { store: new InMemoryApiKeyStore() });
    await app.http.get('/reports').expect(401);
    const answer = await app.http.get('/reports').set(await actingAs(app.app, READER));
    expect(answer).toMatchObject({ status: 200, body: { tenant: 'acme' } });
  });

  it('does what the application is configured for: another header, prefix, environment, peppers', async () => {
    const store = new InMemoryApiKeyStore();
    const peppers = { current: 'one', secrets: { one: 'a pepper that is long enough for this test' } };
    const apiKey = { header: 'x-acme-key', prefix: 'acme', environment: 'ci', peppers };
    await using app = await start(platform, { store, apiKey });
    const headers = await actingAs(app.app, READER);
    expect(headers).toEqual({ 'x-acme-key': expect.stringMatching(/^acmeci_/) });
    await app.http.get('/reports').set(headers).expect(200);
    const { items } = await store.list('acme' as TenantId, { limit: 10, includeRevoked: true });
    expect(items).toMatchObject([{ name: 'test key', digestVersion: 'hmac-sha256:one', environment: 'ci' }]);
  });

  it('lets nobody in who lacks the scope, or comes too late', async () => {
    const clock = new FakeClock();
    await using app = await start(platform, { store: new InMemoryApiKeyStore() }, [Clock, clock]);
    const writer = await actingAs(app.app, { tenantId: 'acme', scopes: ['reports:write'] });
    await app.http.get('/reports').set(writer).expect(403);
    const reader = await actingAs(app.app, { ...READER, expiresAt: clock.in('1h') });
    await app.http.get('/reports').set(reader).expect(200);
    clock.advance('1h');
    await app.http.get('/reports').set(reader).expect(401);
  });

  it('needs a store that keys can be added to, which a test can put in the place of another', async () => {
    {
      await using app = await start(platform, { store: new ReadOnlyStore() });
      await expect(actingAs(app.app, READER)).rejects.toThrow(
        /^Keyfence: actingAs\(app\) .*overrideProvider\(ApiKeyStore\)\.useValue\(new InMemoryApiKeyStore\(\)\)/,
      );
    }
    const replacement = [ApiKeyStore, new InMemoryApiKeyStore()] as const;
    await using app = await start(platform, { store: new ReadOnlyStore() }, replacement);
    await app.http
      .get('/reports')
      .set(await actingAs(app.app, READER))
      .expect(200, { tenant: 'acme' });
  });

  it('refuses what is no tenant and no scope', async () => {
    await using app = await start(platform, { store: new InMemoryApiKeyStore() });
    await expect(actingAs(app.app, { ...READER, tenantId: '../globex' })).rejects.toThrow('tenant id');
    await expect(actingAs(app.app, { ...READER, scopes: ['reports'] })).rejects.toThrow('scopes');
  });

  it('has beside it keys that nobody could issue: createTestKey', async () => {
    const store = new InMemoryApiKeyStore();
    await using app = await start(platform, { store });
    const alive = createTestKey(READER);
    const revoked = createTestKey({ ...READER, revokedAt: new Date() });
    for (const { record } of [alive, revoked]) expect(await store.insert(record)).toBe(true);
    await app.http.get('/reports').set('x-api-key', alive.text).expect(200, { tenant: 'acme' });
    await app.http.get('/reports').set('x-api-key', revoked.text).expect(401);
  });
});
