import { Catch, Controller, Get, Module, type ExceptionFilter, type MiddlewareConsumer } from '@nestjs/common';
import type { ArgumentsHost, NestModule } from '@nestjs/common';
import { ExpressAdapter } from '@nestjs/platform-express';
import { FastifyAdapter } from '@nestjs/platform-fastify';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { ApiKeyAuthenticator } from '../../src/api-key/api-key-authenticator.service.js';
import { ApiKeyValidationMiddleware } from '../../src/api-key/api-key-validation.middleware.js';
import { InMemoryApiKeyStore } from '../../src/api-key/in-memory-api-key.store.js';
import { KeyfenceModule } from '../../src/keyfence.module.js';
import type { KeyfenceOptions } from '../../src/options.js';
import { SkipApiKey } from '../../src/scope/require-scopes.decorator.js';
import { PLATFORMS, startApp, type Platform } from '../support/adapters.js';
import { MODES, startGuardedApp, type Mode } from '../support/guarded-app.js';
import { composeKey } from '../support/sample-key.js';

const MOUNTED: Mode = MODES[0] ?? { name: '', options: {}, imports: [], guards: [], middleware: true };
const INVALID = { status: 401, body: { errorCode: 'invalid_api_key' } };
const CALLER = '203.0.113.7';

/** A framework that believes what a proxy says of the caller's address. */
const BEHIND_PROXY: readonly Platform[] = [
  {
    name: 'express',
    adapter: () => {
      const adapter = new ExpressAdapter();
      adapter.set('trust proxy', true);
      return adapter;
    },
  },
  { name: 'fastify', adapter: () => new FastifyAdapter({ trustProxy: true }) },
];

describe.each(PLATFORMS)('mounted on $name', (platform) => {
  it('answers a bad key on any form of a URL, and where there is no route', async () => {
    await using app = await startGuardedApp(platform, MOUNTED);
    const key = composeKey();
    for (const target of ['/files', '//files', '/%66iles', '/files/', '/files;a=b', '/nowhere', `${app.url}/files`]) {
      expect(await app.send(`GET ${target}`, { key })).toMatchObject(INVALID);
    }
    expect(app.runs).toEqual([]);
    expect(await app.send('GET /nowhere', { key: await app.key() })).toMatchObject({ status: 404 });
  });

  it('asks the store once, also if the application applies the middleware again', async () => {
    @Module({})
    class AgainModule implements NestModule {
      configure(consumer: MiddlewareConsumer): void {
        consumer.apply(ApiKeyValidationMiddleware).forRoutes('{*splat}');
      }
    }
    await using app = await startGuardedApp(platform, { ...MOUNTED, imports: [AgainModule] });
    const key = await app.key();
    app.store.reset();
    expect(await app.send('GET /files', { key })).toMatchObject({ status: 200, body: { requestTenantId: 'acme' } });
    expect(app.store.calls).toEqual(['findByLocator']);
    expect(await app.send('GET /files', { key: composeKey() })).toMatchObject(INVALID);
    expect(app.store.calls).toEqual(['findByLocator', 'findByLocator']);
    expect(app.runs).toEqual(['list']);
  });

  it('answers HEAD without a body', async () => {
    await using app = await startGuardedApp(platform, MOUNTED);
    const answer = await app.send('HEAD /files', { key: composeKey() });
    expect(answer).toMatchObject({ status: 401, text: '' });
    expect(answer.headers).toMatchObject({ 'www-authenticate': expect.stringContaining('invalid_token') });
    expect(app.runs).toEqual([]);
  });

  it('gives the answer of the guard, but for where it comes from', async () => {
    await using mounted = await startGuardedApp(platform, MOUNTED);
    await using alone = await startGuardedApp(platform, MOUNTED, { middleware: { mount: false } });
    const key = composeKey();
    const [byMiddleware, byGuard] = [
      await mounted.send('GET /files', { key }),
      await alone.send('GET /files', { key }),
    ];
    expect(byMiddleware.text).toBe(byGuard.text);
    expect([
      byMiddleware.status,
      byMiddleware.headers['www-authenticate'],
      byMiddleware.headers['content-type'],
    ]).toEqual([byGuard.status, byGuard.headers['www-authenticate'], byGuard.headers['content-type']]);
    expect([...mounted.runs, ...alone.runs]).toEqual([]);
  });
});

describe.each(BEHIND_PROXY)('behind a proxy on $name', (platform) => {
  const OPTIONS: readonly Partial<KeyfenceOptions>[] = [{}, { middleware: { exclude: ['health'] } }];

  it.each(OPTIONS)('takes the address that the framework believes, with %j', async (options) => {
    await using app = await startGuardedApp(platform, MOUNTED, options);
    const key = await app.key({ allowedIps: [CALLER] });
    expect(await app.send('GET /files', { key, headers: { 'x-forwarded-for': CALLER } })).toMatchObject({
      status: 200,
    });
    expect(await app.send('GET /files', { key, headers: { 'x-forwarded-for': '203.0.113.8' } })).toMatchObject(INVALID);
    expect(await app.send('GET /files', { key })).toMatchObject(INVALID);
    expect(app.runs).toEqual(['list']);
  });

  it("asks clientAddress with the framework's request", async () => {
    const asked: object[] = [];
    await using app = await startGuardedApp(platform, MOUNTED, {
      clientAddress: (request) => {
        asked.push(request);
        return (request as { ip?: string }).ip;
      },
    });
    const key = await app.key({ allowedIps: [CALLER] });
    expect(await app.send('GET /files', { key, headers: { 'x-forwarded-for': CALLER } })).toMatchObject({
      status: 200,
    });
    expect(asked).toMatchObject([{ ip: CALLER, ips: expect.arrayContaining([CALLER]) }]);
    expect('raw' in (asked[0] ?? {})).toBe(platform.name === 'fastify');
  });
});

describe('on fastify', () => {
  const fastify: Platform = { name: 'fastify', adapter: () => new FastifyAdapter() };

  it('stands before routes that Nest knows nothing of', async () => {
    const runs: string[] = [];
    await using app = await startGuardedApp(
      fastify,
      MOUNTED,
      {},
      {
        configure: (nest) => {
          const instance = (nest.getHttpAdapter() as FastifyAdapter).getInstance();
          instance.get('/own', () => {
            runs.push('own');
            return 'ok';
          });
          void instance.register((plugin, _options, done) => {
            plugin.get('/plugin', () => {
              runs.push('plugin');
              return 'ok';
            });
            done();
          });
        },
      },
    );
    for (const path of ['/own', '/plugin']) {
      expect(await app.send(`GET ${path}`, { key: composeKey() })).toMatchObject(INVALID);
    }
    expect(runs).toEqual([]);
    for (const path of ['/own', '/plugin']) {
      expect(await app.send(`GET ${path}`, { key: await app.key() })).toMatchObject({ status: 200, text: 'ok' });
    }
    expect(runs).toEqual(['own', 'plugin']);
  });

  it('answers with the headers that hooks before and after it set, and is seen by those that log', async () => {
    const seen: number[] = [];
    await using app = await startGuardedApp(
      fastify,
      MOUNTED,
      {},
      {
        configure: (nest) => {
          (nest.getHttpAdapter() as FastifyAdapter)
            .getInstance()
            .addHook('onRequest', (_request, reply, done) => {
              reply.header('x-before', '1');
              done();
            })
            .addHook('onSend', (_request, reply, payload, done) => {
              reply.header('x-after', '2');
              done(null, payload);
            })
            .addHook('onResponse', (_request, reply, done) => {
              seen.push(reply.statusCode);
              done();
            });
        },
      },
    );
    const answer = await app.send('GET /files', { key: composeKey() });
    expect(answer).toMatchObject({ ...INVALID, headers: { 'x-before': '1', 'x-after': '2' } });
    expect(seen).toEqual([401]);
    expect(app.runs).toEqual([]);
  });
});

describe.each(PLATFORMS)('what goes wrong in it on $name', (platform) => {
  const unhandled: unknown[] = [];
  const note = (error: unknown): void => {
    unhandled.push(error);
  };
  const runs: string[] = [];

  beforeEach(() => {
    process.on('unhandledRejection', note);
  });

  afterEach(() => {
    process.off('unhandledRejection', note);
    runs.length = 0;
    unhandled.length = 0;
  });

  @Controller('open')
  @SkipApiKey()
  class OpenController {
    @Get()
    get(): string {
      runs.push('open');
      return 'ok';
    }
  }

  @Catch()
  class OwnFilter implements ExceptionFilter<Error> {
    catch(exception: Error, host: ArgumentsHost): void {
      const reply = host.switchToHttp().getResponse<{ status(code: number): { send(body: unknown): void } }>();
      reply.status(500).send({ own: exception.message });
    }
  }

  it.each<[string, () => unknown]>([
    [
      'an exception',
      () => {
        throw new Error('broken');
      },
    ],
    ['a rejection', () => Promise.reject(new Error('broken'))],
  ])('reaches the filters of the application: %s', async (_what, authenticate) => {
    await using app = await startApp(
      platform,
      { imports: [KeyfenceModule.forRoot({ store: new InMemoryApiKeyStore() })], controllers: [OpenController] },
      {
        configure: (nest) => {
          nest.useGlobalFilters(new OwnFilter());
        },
        override: (builder) =>
          builder.overrideProvider(ApiKeyAuthenticator).useValue({ authenticate, conceal: () => undefined }),
      },
    );
    expect(await app.send('GET /open', { key: composeKey() })).toMatchObject({ status: 500, body: { own: 'broken' } });
    expect(runs).toEqual([]);
    await new Promise(setImmediate);
    expect(unhandled).toEqual([]);
  });
});
