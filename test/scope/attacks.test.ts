import type { IncomingMessage, ServerResponse } from 'node:http';
import { describe, expect, it } from '@jest/globals';
import { Controller, Get, Req, Res, UseGuards } from '@nestjs/common';
import {
  CurrentTenant,
  InMemoryApiKeyStore,
  KeyfenceModule,
  RequireApiKey,
  RequireScopes,
  ScopedKeyGuard,
} from '../../src/index.js';
import { PLATFORMS, startApp, type TestApp } from '../support/adapters.js';

const KEY = 'a-key-of-acme-for-attacks';
const store = (): InMemoryApiKeyStore =>
  InMemoryApiKeyStore.fromKeys({ [KEY]: { tenantId: 'acme', scopes: ['files:read'] } });

/** An app that knows no key at all. */
const emptyStore = (): InMemoryApiKeyStore => InMemoryApiKeyStore.fromKeys({});

let calls: string[] = [];

function startWith(controller: new () => object, options: object): Promise<TestApp> {
  calls = [];
  const [express] = PLATFORMS;
  if (express === undefined) throw new Error('There is no platform.');
  return startApp(express, {
    imports: [KeyfenceModule.forRoot({ store: store(), ...options })],
    controllers: [controller],
  });
}

@Controller('inner')
@RequireApiKey()
class InnerController {
  @Get()
  read(@CurrentTenant() tenant: string): string {
    calls.push('inner');
    return tenant;
  }
}

describe('an application behind another one in the same process', () => {
  async function requestThroughOuter(innerStore: InMemoryApiKeyStore): Promise<number> {
    await using inner = await startWith(InnerController, { store: innerStore });
    const instance = inner.app.getHttpAdapter().getInstance() as (
      request: IncomingMessage,
      response: ServerResponse,
    ) => void;

    @Controller('inner')
    @RequireApiKey()
    class OuterController {
      @Get()
      delegate(@Req() request: IncomingMessage, @Res() response: ServerResponse): void {
        instance(request, response);
      }
    }
    // Otherwise the outer one takes the key out of the request.
    await using outer = await startWith(OuterController, { apiKey: { exposeKeyToHandlers: true } });
    return (await outer.send('GET /inner', { key: KEY })).status;
  }

  it('does not take over what the other found out with its own keys', async () => {
    expect(await requestThroughOuter(emptyStore())).toBe(401);
    expect(calls).toEqual([]);
  });

  it('accepts a key that it knows itself (control)', async () => {
    expect(await requestThroughOuter(store())).toBe(200);
    expect(calls).toEqual(['inner']);
  });
});

describe("a handler that nobody guards, with guard: 'manual'", () => {
  @Controller('reports')
  @RequireScopes('reports:read')
  class ForgottenController {
    @Get()
    read(@CurrentTenant() tenant: string): string {
      calls.push(tenant);
      return tenant;
    }
  }

  it('gets no tenant from the middleware, and the boot log says what is missing', async () => {
    await using app = await startWith(ForgottenController, { guard: 'manual' });
    const { status, body } = await app.send('GET /reports', { key: KEY });
    expect({ status, body }).toMatchObject({ status: 401, body: { errorCode: 'missing_credentials' } });
    expect(calls).toEqual([]);
    expect(app.log.textOf()).toContain('Add @UseGuards(ScopedKeyGuard)');
  });

  it('is refused for its missing scope once it is guarded (control)', async () => {
    @Controller('reports')
    @UseGuards(ScopedKeyGuard)
    class GuardedController extends ForgottenController {}
    await using app = await startWith(GuardedController, { guard: 'manual' });
    expect((await app.send('GET /reports', { key: KEY })).body).toMatchObject({ errorCode: 'insufficient_scope' });
    expect(app.log.textOf()).not.toContain('Add @UseGuards(ScopedKeyGuard)');
  });
});

describe('a rule on a method', () => {
  /** A decorator that puts a function of its own in the place of the method, as many do. */
  function Wrap(): (target: object, name: string, descriptor: PropertyDescriptor) => void {
    return (_target, _name, descriptor) => {
      const inner = descriptor.value as (...args: unknown[]) => unknown;
      descriptor.value = function wrapped(this: unknown, ...args: unknown[]): unknown {
        return inner.apply(this, args);
      };
    };
  }

  @Controller('wrapped')
  @RequireApiKey()
  class WrappedController {
    @Get()
    @Wrap()
    @RequireScopes('admin:all')
    read(): string {
      calls.push('wrapped');
      return 'read';
    }

    @Get('open')
    @Wrap()
    open(): string {
      calls.push('open');
      return 'open';
    }
  }

  @Controller('overridden')
  class OverridingController extends WrappedController {
    @Get()
    override read(): string {
      calls.push('overridden');
      return 'read';
    }
  }

  it.each([
    ['survives a decorator that wraps the method', WrappedController, '/wrapped'],
    ['survives an overriding method', OverridingController, '/overridden'],
  ] as const)('%s', async (_case, controller, path) => {
    await using app = await startWith(controller, {});
    expect((await app.send(`GET ${path}`, { key: KEY })).body).toMatchObject({ errorCode: 'insufficient_scope' });
    expect(calls).toEqual([]);
  });

  it('is not on a method that has none (control)', async () => {
    await using app = await startWith(WrappedController, {});
    expect((await app.send('GET /wrapped/open', { key: KEY })).status).toBe(200);
    expect(calls).toEqual(['open']);
  });
});

describe('a module that imports KeyfenceModule bare', () => {
  it('does not boot where forRoot() is called nowhere: nothing would be guarded', async () => {
    const [express] = PLATFORMS;
    if (express === undefined) throw new Error('There is no platform.');
    await expect(startApp(express, { imports: [KeyfenceModule], controllers: [InnerController] })).rejects.toThrow(
      'KeyfenceModule.forRoot() is called nowhere',
    );
  });
});
