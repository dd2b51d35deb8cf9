import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import type { IncomingMessage } from 'node:http';
import { inspect } from 'node:util';
import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import {
  Catch,
  Controller,
  Delete,
  Get,
  Logger,
  Module,
  Param,
  Patch,
  Post,
  Req,
  UseGuards,
  UseInterceptors,
  type ArgumentsHost,
  type CallHandler,
  type ExecutionContext,
  type INestApplication,
  type MiddlewareConsumer,
  type NestInterceptor,
  type NestModule,
  type Type,
} from '@nestjs/common';
import { BaseExceptionFilter } from '@nestjs/core';
import type { Observable } from 'rxjs';
import { EVENT_CHANNEL, KeyfenceEvents } from '../../src/events/keyfence-events.service.js';
import {
  ApiKeyService,
  CurrentPrincipal,
  InMemoryApiKeyStore,
  KeyfenceModule,
  RequireApiKey,
  RequireScopes,
  SkipApiKey,
  type IssuedApiKey,
  type KeyfenceOptions,
  type Principal,
} from '../../src/index.js';
import { PLATFORMS, startApp, type Platform, type TestApp } from '../support/adapters.js';
import { CountingStore } from '../support/counting-store.js';
import { MODES, type Mode } from '../support/guarded-app.js';
import { withWrongChecksum, withWrongSecret } from '../support/sample-key.js';
import type { Sending } from '../support/send.js';

const TABLE = PLATFORMS.flatMap((platform) =>
  MODES.map((mode) => ({ platform, mode, name: `${platform.name}: ${mode.name}` })),
);
const EVERYTHING = { showHidden: true, maxArrayLength: null, maxStringLength: null, breakLength: Infinity } as const;
const SCOPES = ['keys:write', 'files:read'];

/** Fails as a database does, with what a database says; and a store never gets to see a key. */
class FragileStore extends CountingStore {
  down = false;

  override findByLocator(locator: string): ReturnType<CountingStore['findByLocator']> {
    if (this.down) return Promise.reject(new Error(`no answer to select * from keys where locator = '${locator}'`));
    return super.findByLocator(locator);
  }
}

/** What an application prints, keeps and answers in a test. */
class Traces {
  /** By the place where it was found. */
  readonly found = new Map<string, string[]>();
  /** The texts of the keys that the application made. */
  readonly keys: string[] = [];
  readonly #logger = new Logger('App');

  add(place: string, text: string): void {
    this.found.set(place, [...(this.found.get(place) ?? []), text]);
  }

  /** Prints a request in every way that an application may, at some place, to its log too. */
  look(place: string, request: unknown): void {
    const raw = (request as { raw?: IncomingMessage }).raw ?? (request as IncomingMessage);
    const { headers } = request as IncomingMessage;
    const shown = [
      JSON.stringify(headers),
      JSON.stringify([raw.headers, raw.rawHeaders, raw.headersDistinct, raw.trailers]),
      inspect(headers, { ...EVERYTHING, depth: 20 }),
      inspect(request, { ...EVERYTHING, depth: 3 }),
      inspect(raw, { ...EVERYTHING, depth: 3 }),
    ].join('\n');
    this.add(place, shown);
    this.#logger.error(shown);
  }

  /** Keeps the text of a new key, which only its holder gets, and gives what a controller would answer. */
  keep(issued: IssuedApiKey): IssuedApiKey {
    this.keys.push(issued.secret.reveal());
    this.add(
      'an issued key',
      inspect(issued, { ...EVERYTHING, depth: 20 }) + JSON.stringify(issued) + String(issued.secret),
    );
    this.#logger.log(issued);
    return issued;
  }

  /** The places that show one of these texts. */
  placesWith(...texts: readonly string[]): string[] {
    const shows = (lines: readonly string[]): boolean =>
      lines.some((line) => texts.some((text) => line.includes(text)));
    return [...this.found].filter(([, lines]) => shows(lines)).map(([place]) => place);
  }
}

function createModules(mode: Mode, platform: Platform, traces: Traces): { controllers: Type[]; imports: Type[] } {
  class Looking implements NestInterceptor {
    intercept(context: ExecutionContext, next: CallHandler): Observable<unknown> {
      traces.look('an interceptor', context.switchToHttp().getRequest());
      return next.handle();
    }
  }

  @Controller('look')
  @UseGuards(...mode.guards)
  @UseInterceptors(Looking)
  class LookController {
    @Get()
    @RequireApiKey()
    look(@Req() request: unknown, @CurrentPrincipal() principal: Principal): object {
      traces.look('a handler', request);
      traces.add('a principal', inspect(principal, { ...EVERYTHING, depth: 20 }));
      return principal;
    }

    @Get('public')
    @SkipApiKey()
    open(@Req() request: unknown): object {
      traces.look('a public handler', request);
      return {};
    }

    @Get('failing')
    @RequireApiKey()
    fail(@Req() request: unknown): never {
      const error = new Error('This handler fails.', { cause: { headers: (request as IncomingMessage).headers } });
      throw error;
    }
  }

  @Controller('keys')
  @UseGuards(...mode.guards)
  @RequireScopes('keys:write')
  class KeysController {
    constructor(private readonly keys: ApiKeyService) {}

    @Post()
    async issue(@CurrentPrincipal() grantedBy: Principal): Promise<object> {
      return traces.keep(await this.keys.forTenant('acme', { grantedBy }).issue({ name: 'made', scopes: SCOPES }));
    }

    @Post(':id/rotations')
    async rotate(@Param('id') id: string): Promise<object> {
      return traces.keep(await this.keys.forTenant('acme').rotate(id));
    }

    @Get()
    list(): Promise<object> {
      return this.keys.forTenant('acme').list({ includeRevoked: true });
    }

    @Patch(':id')
    update(@Param('id') id: string): Promise<object> {
      return this.keys.forTenant('acme').update(id, { name: 'changed' });
    }

    @Delete(':id')
    revoke(@Param('id') id: string): Promise<object> {
      return this.keys.forTenant('acme').revoke(id);
    }
  }

  @Module({})
  class LaterMiddlewareModule implements NestModule {
    configure(consumer: MiddlewareConsumer): void {
      if (!mode.middleware || platform.name !== 'express') return;
      consumer
        .apply((request: unknown, _response: unknown, next: () => void) => {
          traces.look('later middleware', request);
          next();
        })
        .forRoutes('{*splat}');
    }
  }

  return { controllers: [LookController, KeysController], imports: [...mode.imports, LaterMiddlewareModule] };
}

interface Hooks {
  addHook(name: string, hook: (request: object, reply: object, done: () => void) => void): void;
}

/** On Fastify, what Nest calls middleware comes before the hook that ours is, and a later hook comes after it. */
function addLaterHook(app: INestApplication, traces: Traces): void {
  (app.getHttpAdapter().getInstance() as Hooks).addHook('preValidation', (request, _reply, done) => {
    traces.look('later middleware', request);
    done();
  });
}

interface SentinelApp extends TestApp {
  readonly memory: InMemoryApiKeyStore;
  readonly store: FragileStore;
  /** The key that is looked for everywhere. */
  readonly sentinel: string;
  readonly sentinelId: string;
}

async function start(
  platform: Platform,
  mode: Mode,
  traces: Traces,
  options: Partial<KeyfenceOptions> = {},
): Promise<SentinelApp> {
  const memory = new InMemoryApiKeyStore();
  const store = new FragileStore(memory);
  const { controllers, imports } = createModules(mode, platform, traces);

  @Catch()
  class LookingFilter extends BaseExceptionFilter {
    override catch(exception: unknown, host: ArgumentsHost): void {
      traces.add('an exception', inspect(exception, { ...EVERYTHING, depth: 20 }) + JSON.stringify(exception));
      traces.look('a filter', host.switchToHttp().getRequest());
      super.catch(exception, host);
    }
  }

  const app = await startApp(
    platform,
    {
      imports: [KeyfenceModule.forRoot({ store, cache: false, ...mode.options, ...options }), ...imports],
      controllers,
    },
    {
      configure: (nest) => {
        nest.useGlobalFilters(new LookingFilter(nest.getHttpAdapter()));
        if (mode.middleware && platform.name === 'fastify') addLaterHook(nest, traces);
      },
    },
  );
  app.app.get(KeyfenceEvents).stream.subscribe((event) => {
    traces.add('the events', inspect(event, { ...EVERYTHING, depth: 20 }) + JSON.stringify(event));
  });
  const keys = app.app.get(ApiKeyService).forTenant('acme');
  const { record, secret } = traces.keep(await keys.issue({ name: 'sentinel', scopes: SCOPES }));
  return Object.assign(app, { memory, store, sentinel: secret.reveal(), sentinelId: record.id });
}

/** Sends a request and keeps the answer among the traces. */
async function ask(app: SentinelApp, traces: Traces, line: string, sending: Sending): Promise<number> {
  const { status, headers, text } = await app.send(line, sending);
  traces.add('an answer', `${status} ${JSON.stringify(headers)} ${text}`);
  return status;
}

/** All that the store holds, as far as it can be had from it, and as a debugger would show it. */
async function dump({ memory, app }: SentinelApp): Promise<string> {
  const { tenantId } = app.get(ApiKeyService).forTenant('acme');
  const { items } = await memory.list(tenantId, { limit: 200, includeRevoked: true });
  return inspect([items, memory], { ...EVERYTHING, depth: 20 });
}

describe.each(TABLE)('$name', ({ platform, mode }) => {
  let traces: Traces;

  const onMessage = (message: unknown): void => {
    traces.add('the diagnostics channel', inspect(message, { ...EVERYTHING, depth: 20 }));
  };

  beforeEach(() => {
    traces = new Traces();
    subscribe(EVENT_CHANNEL, onMessage);
    for (const stream of [process.stdout, process.stderr]) {
      const write = stream.write.bind(stream) as (...written: unknown[]) => boolean;
      jest.spyOn(stream, 'write').mockImplementation((...written: unknown[]) => {
        traces.add('the console', String(written[0]));
        return write(...written);
      });
    }
    for (const level of ['log', 'info', 'warn', 'error', 'debug'] as const) {
      jest.spyOn(console, level).mockImplementation((...parts: unknown[]) => {
        traces.add('the console', inspect(parts, { ...EVERYTHING, depth: 20 }));
      });
    }
  });

  afterEach(() => {
    jest.restoreAllMocks();
    unsubscribe(EVENT_CHANNEL, onMessage);
  });

  it('shows a key nowhere', async () => {
    const app = await start(platform, mode, traces);
    const { sentinel, sentinelId, store } = app;
    try {
      const valid = { key: sentinel };
      expect(await ask(app, traces, 'GET /look', valid)).toBe(200);
      expect(await ask(app, traces, 'GET /look/public', valid)).toBe(200);
      expect(await ask(app, traces, 'GET /look/failing', valid)).toBe(500);
      // Without the middleware, nothing of Keyfence comes by a request that no handler takes.
      if (mode.middleware) expect(await ask(app, traces, 'GET /nowhere', valid)).toBe(404);
      expect(await ask(app, traces, 'GET /look', { headers: { 'X-API-Key': sentinel } })).toBe(200);

      for (const [key, status] of [
        [withWrongChecksum(sentinel), 401],
        [withWrongSecret(sentinel), 401],
        [sentinel.slice(0, -1), 401],
        [`${sentinel} ${sentinel}`, 401],
        [`${sentinel}, ${sentinel}`, 401],
        [`Bearer ${sentinel}`, 401],
      ] as const) {
        expect([key, await ask(app, traces, 'GET /look', { key })]).toEqual([key, status]);
        traces.keys.push(key);
      }
      expect(await ask(app, traces, 'GET /look', { headers: { 'x-api-key': [sentinel, sentinel] } })).toBe(401);

      expect(await ask(app, traces, 'POST /keys', valid)).toBe(201);
      const [made = ''] = traces.keys.slice(-1);
      const madeId = await idOf(app, made);
      expect(await ask(app, traces, `PATCH /keys/${madeId}`, valid)).toBe(200);
      expect(await ask(app, traces, `POST /keys/${madeId}/rotations`, valid)).toBe(201);
      expect(await ask(app, traces, `POST /keys/${madeId}/rotations`, valid)).toBe(409);
      expect(await ask(app, traces, 'GET /keys', valid)).toBe(200);
      expect(await ask(app, traces, `DELETE /keys/${madeId}`, valid)).toBe(200);
      expect(await ask(app, traces, 'GET /look', { key: made })).toBe(401);

      store.down = true;
      expect(await ask(app, traces, 'GET /look', valid)).toBe(503);
      expect(await ask(app, traces, 'GET /look/public', valid)).toBe(200);
      store.down = false;

      expect(await ask(app, traces, `DELETE /keys/${sentinelId}`, valid)).toBe(200);
      expect(await ask(app, traces, 'GET /look', valid)).toBe(401);
    } finally {
      await app.close();
    }
    traces.add('the log', app.log.textOf());
    traces.add('the store', await dump(app));

    const secrets = traces.keys.filter((key) => /_[0-9A-Za-z]{43}$/.test(key)).map((key) => key.slice(-43));
    expect(secrets.length).toBeGreaterThanOrEqual(5);
    expect(traces.placesWith(...traces.keys, ...secrets)).toEqual([]);

    // That something was seen at all: what may be shown of the key is.
    const places = [
      'a handler',
      'a public handler',
      'an interceptor',
      'a filter',
      'an exception',
      'a principal',
      'an issued key',
    ];
    const looked = [...places, 'the events', 'the diagnostics channel', 'an answer', 'the log', 'the store'];
    expect([...traces.found.keys()]).toEqual(expect.arrayContaining(looked));
    if (mode.middleware) expect(traces.found.has('later middleware')).toBe(true);
    const named = traces.placesWith(sentinelId);
    expect(named).toEqual(
      expect.arrayContaining([
        'an answer',
        'the events',
        'the diagnostics channel',
        'the store',
        'the log',
        'a principal',
      ]),
    );
    expect(await dump(app)).toMatch(/digest: '[0-9a-f]{64}'/);
  });

  it('shows a key that came at the wrong place in no log, event or answer', async () => {
    const app = await start(platform, mode, traces);
    const { sentinel } = app;
    // The application's own printing of requests is another matter: what is no credential is left where it is.
    jest.spyOn(traces, 'look').mockImplementation(() => undefined);
    try {
      for (const [line, headers] of [
        [`GET /look?api_key=${sentinel}`, {}],
        [`GET /look?x-api-key=${sentinel}`, {}],
        ['GET /look', { cookie: `x-api-key=${sentinel}` }],
        ['GET /look', { authorization: `Bearer ${sentinel}` }],
        ['GET /look', { authorization: `Basic ${Buffer.from(`:${sentinel}`).toString('base64')}` }],
        ['GET /look', { 'x-api-token': sentinel }],
      ] as const) {
        expect([line, await ask(app, traces, line, { headers })]).toEqual([line, 401]);
      }
    } finally {
      await app.close();
    }
    traces.add('the log', app.log.textOf());
    expect(traces.found.get('the events')).toHaveLength(7);
    expect(traces.placesWith(sentinel, sentinel.slice(-43))).toEqual([]);
  });

  it.each<[string, object, (key: string) => Sending]>([
    ['its header', {}, (key) => ({ key })],
    ['a bearer token', { bearer: true }, (key) => ({ headers: { authorization: `Bearer ${key}` } })],
  ])(
    'shows one everywhere in the request, if that is wanted, and nowhere else: %s (control)',
    async (_how, how, sending) => {
      for (const exposeKeyToHandlers of [true, false]) {
        traces = new Traces();
        const app = await start(platform, mode, traces, { apiKey: { ...how, exposeKeyToHandlers } });
        const { sentinel } = app;
        try {
          expect(await ask(app, traces, 'GET /look', sending(sentinel))).toBe(200);
          expect(await ask(app, traces, 'GET /look/public', sending(sentinel))).toBe(200);
        } finally {
          await app.close();
        }
        traces.add('the store', await dump(app));
        traces.add('the log', app.log.textOf());
        const exposed = ['a handler', 'a public handler', 'an interceptor', 'the log'];
        if (mode.middleware) exposed.push('later middleware');
        const expected = exposeKeyToHandlers ? exposed.sort() : [];
        expect(traces.placesWith(sentinel).sort()).toEqual(expected);
        expect(traces.placesWith(sentinel.slice(-43)).sort()).toEqual(expected);
      }
    },
  );
});

async function idOf({ memory }: SentinelApp, key: string): Promise<string> {
  return (await memory.findByLocator(key.split('_')[1] ?? ''))?.id ?? '';
}
