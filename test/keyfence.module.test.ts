import { Controller, Get, Injectable, Module, type DynamicModule } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { describe, expect, it } from '@jest/globals';
import { ApiKeyValidationMiddleware } from '../src/api-key/api-key-validation.middleware.js';
import { ApiKeyService } from '../src/api-key/api-key.service.js';
import { ApiKeyStore } from '../src/api-key/api-key.store.js';
import { InMemoryApiKeyStore } from '../src/api-key/in-memory-api-key.store.js';
import { FileService } from '../src/files/file.service.js';
import { KeyfenceModule } from '../src/keyfence.module.js';
import type { KeyfenceOptions } from '../src/options.js';
import { RequireApiKey } from '../src/scope/require-scopes.decorator.js';
import { RouteCoverage } from '../src/scope/route-coverage.service.js';
import { ScopedKeyGuard } from '../src/scope/scoped-key.guard.js';
import { TenantContext } from '../src/tenant/tenant-context.service.js';
import { bootError, PLATFORMS, startApp, type TestApp } from './support/adapters.js';
import { CapturedLog } from './support/captured-log.js';
import { CountingStore } from './support/counting-store.js';
import { composeKey, storedKey } from './support/sample-key.js';

@Controller('whoami')
@RequireApiKey()
class WhoamiController {
  @Get()
  get(): string {
    return TenantContext.current().tenantId;
  }
}

const memory = new InMemoryApiKeyStore();
const store = new CountingStore(memory);

/** What a factory class gives; Nest makes it once, and shares it. */
@Injectable()
class KeyfenceConfig {
  static made = 0;

  constructor() {
    KeyfenceConfig.made += 1;
  }

  createKeyfenceOptions(): KeyfenceOptions {
    return { store };
  }
}

@Module({ providers: [KeyfenceConfig, { provide: 'STORE', useValue: store }], exports: [KeyfenceConfig, 'STORE'] })
class ConfigModule {}

async function isKeyfenceWorking(app: TestApp): Promise<void> {
  const key = await storedKey(memory);
  store.reset();
  expect(await app.send('GET /whoami')).toMatchObject({ status: 401, body: { errorCode: 'missing_credentials' } });
  expect(store.calls).toEqual([]);
  expect(await app.send('GET /whoami', { key })).toMatchObject({ status: 200, text: 'acme' });
  expect(store.calls).toEqual(['findByLocator']);
  expect(await app.send('GET /whoami', { key: composeKey() })).toMatchObject({
    status: 401,
    body: { errorCode: 'invalid_api_key' },
  });
  expect(store.calls).toEqual(['findByLocator', 'findByLocator']);
}

describe.each(PLATFORMS)('KeyfenceModule on $name', (platform) => {
  it.each<[string, () => DynamicModule]>([
    ['forRoot', () => KeyfenceModule.forRoot({ store })],
    ['forRootAsync with useFactory', () => KeyfenceModule.forRootAsync({ useFactory: () => ({ store }) })],
    [
      'forRootAsync with an asynchronous factory and inject',
      () =>
        KeyfenceModule.forRootAsync({
          imports: [ConfigModule],
          inject: ['STORE'],
          useFactory: async (injected: ApiKeyStore) => {
            await Promise.resolve();
            return { store: injected };
          },
        }),
    ],
    ['forRootAsync with useClass', () => KeyfenceModule.forRootAsync({ useClass: KeyfenceConfig })],
    [
      'forRootAsync with useExisting',
      () => KeyfenceModule.forRootAsync({ imports: [ConfigModule], useExisting: KeyfenceConfig }),
    ],
  ])('works by %s', async (_how, keyfence) => {
    await using app = await startApp(platform, { imports: [keyfence()], controllers: [WhoamiController] });
    await isKeyfenceWorking(app);
  });

  it('uses the very object that useExisting names', async () => {
    KeyfenceConfig.made = 0;
    await using app = await startApp(platform, {
      imports: [ConfigModule, KeyfenceModule.forRootAsync({ imports: [ConfigModule], useExisting: KeyfenceConfig })],
      controllers: [WhoamiController],
    });
    expect(KeyfenceConfig.made).toBe(1);
    expect(app.app.get(ApiKeyStore)).toBe(store);
  });

  it('works once, if the same module is imported by several', async () => {
    const keyfence = KeyfenceModule.forRoot({ store });
    @Module({ imports: [keyfence] })
    class FeatureModule {}
    @Module({ imports: [keyfence], controllers: [WhoamiController] })
    class OtherModule {}
    await using app = await startApp(platform, { imports: [keyfence, FeatureModule, OtherModule] });
    await isKeyfenceWorking(app);
  });

  it('mounts nothing more, if a feature module imports it bare', async () => {
    @Module({ imports: [KeyfenceModule], controllers: [WhoamiController] })
    class FeatureModule {}
    await using app = await startApp(platform, {
      imports: [KeyfenceModule.forRoot({ store }), KeyfenceModule, FeatureModule],
    });
    await isKeyfenceWorking(app);
  });

  it.each<[string, () => DynamicModule[]]>([
    [
      'two forRoot',
      () => [KeyfenceModule.forRoot({ store }), KeyfenceModule.forRoot({ store: new InMemoryApiKeyStore() })],
    ],
    ['two forRoot with the same options', () => [KeyfenceModule.forRoot({ store }), KeyfenceModule.forRoot({ store })]],
    [
      'forRoot and forRootAsync',
      () => [KeyfenceModule.forRoot({ store }), KeyfenceModule.forRootAsync({ useFactory: () => ({ store }) })],
    ],
  ])('stops the boot for %s: which store would decide?', async (_what, imports) => {
    expect(await bootError(platform, { imports: imports(), controllers: [WhoamiController] })).toMatchObject({
      name: 'KeyfenceConfigurationError',
      message: expect.stringMatching(
        /KeyfenceModule\.forRoot\(\) was called more than once .*Call it in the root module only/,
      ),
    });
  });

  it.each<[string, (options: KeyfenceOptions) => DynamicModule]>([
    ['forRoot', (options) => KeyfenceModule.forRoot(options)],
    ['forRootAsync', (options) => KeyfenceModule.forRootAsync({ useFactory: () => options })],
  ])('stops the boot for a wrong option of %s', async (_how, keyfence) => {
    const wrong = { store, guard: 'off' } as unknown as KeyfenceOptions;
    expect(await bootError(platform, { imports: [keyfence(wrong)] })).toMatchObject({
      name: 'KeyfenceConfigurationError',
      option: 'guard',
      message: "Keyfence: guard is 'off'. Give one of 'global', 'manual'.",
    });
  });

  it('gives its providers to every module, without an import', async () => {
    @Injectable()
    class Needy {
      constructor(
        readonly keys: ApiKeyService,
        readonly files: FileService,
        readonly context: TenantContext,
        readonly coverage: RouteCoverage,
        readonly guard: ScopedKeyGuard,
        readonly middleware: ApiKeyValidationMiddleware,
        readonly apiKeys: ApiKeyStore,
      ) {}
    }
    @Module({ providers: [Needy] })
    class FeatureModule {}
    await using app = await startApp(platform, { imports: [KeyfenceModule.forRoot({ store }), FeatureModule] });
    const needy = app.app.get(Needy);
    expect(needy.apiKeys).toBe(store);
    expect(needy.guard).toBe(app.app.get(ScopedKeyGuard));
    // Two apps in one process are two Keyfences.
    await using other = await startApp(platform, { imports: [KeyfenceModule.forRoot({ store: memory })] });
    expect(other.app.get(ApiKeyStore)).toBe(memory);
    expect(app.app.get(ApiKeyStore)).toBe(store);
  });

  it('answers keys that a team has already, in full', async () => {
    const key = 'sk_0e37df36f69811e68dd4cb9ced3df976';
    await using app = await startApp(platform, {
      imports: [
        KeyfenceModule.forRoot({
          store: InMemoryApiKeyStore.fromKeys({ [key]: { tenantId: 'globex', scopes: ['files:read'] } }),
        }),
      ],
      controllers: [WhoamiController],
    });
    expect(await app.send('GET /whoami', { key })).toMatchObject({ status: 200, text: 'globex' });
    for (const other of ['__proto__', 'constructor', 'toString', `${key}x`, key.toUpperCase()]) {
      expect(await app.send('GET /whoami', { key: other })).toMatchObject({
        status: 401,
        body: { errorCode: 'invalid_api_key' },
      });
    }
    expect(app.log.textOf()).not.toContain(key);
  });
});

describe('without HTTP', () => {
  it('issues keys in a stand-alone application, such as a command', async () => {
    const log = new CapturedLog();
    @Module({ imports: [KeyfenceModule.forRoot({ store: new InMemoryApiKeyStore() })] })
    class CommandModule {}
    const app = await NestFactory.createApplicationContext(CommandModule, { logger: log, abortOnError: false });
    const { record, secret } = await app
      .get(ApiKeyService)
      .forTenant('acme')
      .issue({ name: 'ci', scopes: ['files:read'] });
    expect(record.tenantId).toBe('acme');
    expect(log.textOf()).not.toContain(secret.reveal().slice(-20));
    await app.close();
  });
});

describe('without the option files', () => {
  it('refuses FileService where it is used, and says what to give', async () => {
    const [express] = PLATFORMS;
    if (express === undefined) throw new Error('no platform');
    await using app = await startApp(express, { imports: [KeyfenceModule.forRoot({ store })] });
    expect(() => app.app.get(FileService).forTenant('acme')).toThrow(
      /files is not set\. Give KeyfenceModule files: \{ root/,
    );
  });
});
