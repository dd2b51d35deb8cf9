import { request as httpRequest } from 'node:http';
import { setTimeout as later } from 'node:timers/promises';
import { Controller, Get, Injectable, Post, Req, Sse, type MessageEvent } from '@nestjs/common';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { interval, map, take, type Observable } from 'rxjs';
import { InMemoryApiKeyStore } from '../../src/api-key/in-memory-api-key.store.js';
import { KeyfenceModule } from '../../src/keyfence.module.js';
import type { KeyfenceOptions } from '../../src/options.js';
import type { Principal } from '../../src/principal/principal.js';
import { RequireApiKey, SkipApiKey } from '../../src/scope/require-scopes.decorator.js';
import { currentCarrier } from '../../src/tenant/async-context.js';
import { CurrentPrincipal } from '../../src/tenant/current-principal.decorator.js';
import { TenantContext } from '../../src/tenant/tenant-context.service.js';
import { PLATFORMS, startApp, type TestApp } from '../support/adapters.js';
import { composeKey, storedKey } from '../support/sample-key.js';

/** A singleton far from the request, as a repository would be. */
@Injectable()
class Repository {
  constructor(private readonly context: TenantContext) {}

  async load(): Promise<string> {
    const before = TenantContext.current().tenantId;
    await later(0);
    await new Promise((resolve) => {
      setImmediate(resolve);
    });
    return before === this.context.current().tenantId ? before : 'mixed up';
  }

  loadNow(): string {
    return TenantContext.current().tenantId;
  }
}

@Controller('tenant')
@RequireApiKey()
class TenantController {
  constructor(private readonly repository: Repository) {}

  @Get()
  load(): Promise<string> {
    return this.repository.load();
  }

  @Post('body')
  async body(@Req() request: { body?: unknown }): Promise<object> {
    return { tenant: await this.repository.load(), received: request.body };
  }

  @Sse('events')
  events(): Observable<MessageEvent> {
    return interval(1).pipe(
      take(3),
      map(() => ({ data: this.repository.loadNow() })),
    );
  }

  @Get('public')
  closed(): string {
    return 'no';
  }
}

@Controller('public')
@SkipApiKey()
class PublicController {
  constructor(private readonly repository: Repository) {}

  @Get()
  load(): Promise<string> {
    return this.repository.load();
  }
}

const OPTIONS: { name: string; options: Partial<KeyfenceOptions> }[] = [
  { name: 'middleware mounted', options: {} },
  { name: 'middleware not mounted', options: { middleware: { mount: false } } },
];
const TABLE = PLATFORMS.flatMap((platform) =>
  OPTIONS.map(({ name, options }) => ({ name: `${platform.name}, ${name}`, platform, options })),
);

describe.each(TABLE)('TenantContext.current() on $name', ({ platform, options }) => {
  let app: TestApp;
  let acme: string;
  let globex: string;

  beforeAll(async () => {
    const store = new InMemoryApiKeyStore();
    acme = await storedKey(store);
    globex = await storedKey(store, { tenantId: 'globex' });
    app = await startApp(platform, {
      imports: [KeyfenceModule.forRoot({ store, ...options })],
      controllers: [TenantController, PublicController],
      providers: [Repository],
    });
  });

  afterAll(() => app.close());

  it('gives the tenant in a singleton service', async () => {
    expect(await app.send('GET /tenant', { key: acme })).toMatchObject({ status: 200, text: 'acme' });
    expect(await app.send('GET /tenant', { key: globex })).toMatchObject({ status: 200, text: 'globex' });
  });

  it('gives it after a body that came in slow pieces', async () => {
    const text = await postInPieces(`${app.url}/tenant/body`, globex, ['{"a":', '"b', '","c":', '1}']);
    expect(JSON.parse(text)).toEqual({ tenant: 'globex', received: { a: 'b', c: 1 } });
  });

  it('gives it in a stream of events', async () => {
    const { text, status } = await app.send('GET /tenant/events', { key: globex });
    expect(status).toBe(200);
    expect(text.match(/data: globex/g)).toHaveLength(3);
  });

  it('never mixes up requests that run at the same time', async () => {
    const answers = await Promise.all(
      Array.from({ length: 50 }, (_unused, index) => app.send('GET /tenant', { key: index % 2 === 0 ? acme : globex })),
    );
    expect(answers.map((answer) => answer.text)).toEqual(
      Array.from({ length: 50 }, (_unused, index) => (index % 2 === 0 ? 'acme' : 'globex')),
    );
  });

  it('never mixes up bodies that come in pieces at the same time', async () => {
    const texts = await Promise.all(
      Array.from({ length: 10 }, (_unused, index) =>
        postInPieces(`${app.url}/tenant/body`, index % 2 === 0 ? acme : globex, ['{"n"', `:${index}`, '}']),
      ),
    );
    for (const [index, text] of texts.entries()) {
      expect(JSON.parse(text)).toEqual({ tenant: index % 2 === 0 ? 'acme' : 'globex', received: { n: index } });
    }
  });

  it('throws on a public route without a key, naming the cure, and works there with one', async () => {
    expect(await app.send('GET /public')).toMatchObject({ status: 500, body: { message: 'Internal server error' } });
    expect(app.log.textOf('error')).toContain('without a valid API key. Does the route declare @RequireApiKey()');
    expect(await app.send('GET /public', { key: acme })).toMatchObject({ status: 200, text: 'acme' });
  });

  it('throws outside a request, also while requests run', async () => {
    const running = app.send('GET /tenant', { key: acme });
    expect(() => app.app.get(TenantContext).current()).toThrow('outside a request');
    expect((await running).text).toBe('acme');
    expect(() => app.app.get(Repository).loadNow()).toThrow('outside a request');
  });
});

describe.each(PLATFORMS)("a handler that no guard stands before, with guard: 'manual', on $name", (platform) => {
  it('knows nobody, though the middleware has read a good key', async () => {
    const store = new InMemoryApiKeyStore();
    const key = await storedKey(store);
    await using app = await startApp(platform, {
      imports: [KeyfenceModule.forRoot({ store, guard: 'manual' })],
      controllers: [TenantController],
      providers: [Repository],
    });
    expect(await app.send('GET /tenant', { key })).toMatchObject({ status: 500 });
    expect(app.log.textOf('error')).toContain('is ScopedKeyGuard active on it?');
    expect(app.log.textOf('warn')).toContain('ScopedKeyGuard does not stand before them');
  });
});

describe.each(PLATFORMS)('with tenantContext: false on $name', (platform) => {
  const seen: { carrier: unknown; tenant: string | undefined }[] = [];

  @Controller('plain')
  @RequireApiKey()
  class PlainController {
    @Get()
    get(@CurrentPrincipal() principal?: Principal): string {
      seen.push({ carrier: currentCarrier(), tenant: principal?.tenantId });
      return principal?.tenantId ?? 'nobody';
    }
  }

  it('mounts no async context: current() throws and names the cure, and @CurrentPrincipal() works', async () => {
    const store = new InMemoryApiKeyStore();
    const key = await storedKey(store);
    await using app = await startApp(platform, {
      imports: [KeyfenceModule.forRoot({ store, tenantContext: false })],
      controllers: [PlainController, TenantController],
      providers: [Repository],
    });
    expect(await app.send('GET /plain', { key })).toMatchObject({ status: 200, text: 'acme' });
    expect(seen).toEqual([{ carrier: undefined, tenant: 'acme' }]);
    expect(await app.send('GET /tenant', { key })).toMatchObject({ status: 500 });
    expect(app.log.textOf('error')).toContain('set tenantContext: true, or use @CurrentPrincipal()');
    expect(await app.send('GET /plain')).toMatchObject({ status: 401, body: { errorCode: 'missing_credentials' } });
    expect(await app.send('GET /plain', { key: composeKey() })).toMatchObject({
      status: 401,
      body: { errorCode: 'invalid_api_key' },
    });
    expect(seen).toHaveLength(1);
  });
});

/** Each piece is sent when the one before has left, and given the time to arrive alone. */
function postInPieces(url: string, key: string, pieces: readonly string[]): Promise<string> {
  return new Promise((resolve, reject) => {
    const headers = { 'x-api-key': key, 'content-type': 'application/json' };
    const sent = httpRequest(url, { method: 'POST', agent: false, headers }, (response) => {
      let text = '';
      response.setEncoding('utf8');
      response.on('data', (chunk: string) => (text += chunk));
      response.on('end', () => {
        resolve(text);
      });
    });
    sent.on('error', reject);
    sent.setNoDelay(true);
    void (async () => {
      for (const piece of pieces) {
        await new Promise((written) => {
          sent.write(piece, written);
        });
        // Two turns of the event loop, so that the server reads what is there.
        for (let turn = 0; turn < 2; turn += 1) {
          await new Promise((resolved) => {
            setImmediate(resolved);
          });
        }
      }
      sent.end();
    })();
  });
}
