import {
  Controller,
  Get,
  Injectable,
  UseGuards,
  type CanActivate,
  type ExecutionContext,
  type Type,
} from '@nestjs/common';
import { APP_GUARD } from '@nestjs/core';
import { describe, expect, it } from '@jest/globals';
import { InMemoryApiKeyStore } from '../../src/api-key/in-memory-api-key.store.js';
import { isKeyfenceException } from '../../src/errors/refusal.exception.js';
import { KeyfenceModule } from '../../src/keyfence.module.js';
import type { KeyfenceOptions } from '../../src/options.js';
import type { Principal } from '../../src/principal/principal.js';
import { RequireScopes } from '../../src/scope/require-scopes.decorator.js';
import { ScopedKeyGuard } from '../../src/scope/scoped-key.guard.js';
import { CurrentPrincipal } from '../../src/tenant/current-principal.decorator.js';
import { PLATFORMS, startApp, type Platform, type TestApp } from '../support/adapters.js';
import { composeKey, storedKey } from '../support/sample-key.js';

@Injectable()
class Journal {
  readonly runs: string[] = [];
}

/** Stands for whatever else a team has: a session, a JWT. */
@Injectable()
class SessionGuard implements CanActivate {
  canActivate(context: ExecutionContext): boolean {
    const { headers } = context.switchToHttp().getRequest<{ headers: Record<string, unknown> }>();
    return headers.session === 'alice';
  }
}

/** Key OR session, the session first. */
@Injectable()
class SessionOrKeyGuard implements CanActivate {
  constructor(
    private readonly session: SessionGuard,
    private readonly keys: ScopedKeyGuard,
  ) {}

  canActivate(context: ExecutionContext): boolean | Promise<boolean> {
    return this.session.canActivate(context) || this.keys.canActivate(context);
  }
}

/** Key OR session, the key first; a bad key is not a missing one. */
@Injectable()
class KeyOrSessionGuard implements CanActivate {
  constructor(
    private readonly session: SessionGuard,
    private readonly keys: ScopedKeyGuard,
  ) {}

  async canActivate(context: ExecutionContext): Promise<boolean> {
    try {
      return await this.keys.canActivate(context);
    } catch (refusal) {
      const noKey = isKeyfenceException(refusal) && refusal.errorCode === 'missing_credentials';
      if (noKey && this.session.canActivate(context)) return true;
      throw refusal;
    }
  }
}

interface Composed extends TestApp {
  readonly runs: string[];
  readonly key: string;
  readonly weakKey: string;
}

async function start(
  platform: Platform,
  guards: Type<CanActivate>[],
  options: Partial<KeyfenceOptions>,
  providers: object[] = [],
): Promise<Composed> {
  @Controller('files')
  @UseGuards(...guards)
  class FilesController {
    constructor(private readonly journal: Journal) {}

    @Get()
    @RequireScopes('files:read')
    list(@CurrentPrincipal() principal: Principal | undefined): object {
      this.journal.runs.push('list');
      return { tenant: principal?.tenantId ?? 'nobody' };
    }
  }
  const store = new InMemoryApiKeyStore();
  const key = await storedKey(store);
  const weakKey = await storedKey(store, { scopes: ['other:read'] });
  const started = await startApp(platform, {
    imports: [KeyfenceModule.forRoot({ store, ...options })],
    controllers: [FilesController],
    providers: [Journal, SessionGuard, SessionOrKeyGuard, KeyOrSessionGuard, ...(providers as Type[])],
  });
  return Object.assign(started, { runs: started.app.get(Journal).runs, key, weakKey });
}

const SESSION = { session: 'alice' };

describe.each(PLATFORMS)('on $name', (platform) => {
  it.each<[string, Type<CanActivate>[], Partial<KeyfenceOptions>, object[]]>([
    ['a guard on the route', [SessionGuard], {}, []],
    ['a global guard', [], {}, [{ provide: APP_GUARD, useExisting: SessionGuard }]],
    ['both on the route, the key first', [ScopedKeyGuard, SessionGuard], { guard: 'manual' }, []],
    ['both on the route, the session first', [SessionGuard, ScopedKeyGuard], { guard: 'manual' }, []],
  ])('key AND session, by %s: both are needed', async (_how, guards, options, providers) => {
    await using app = await start(platform, guards, options, providers);
    expect((await app.send('GET /files')).status).toBeGreaterThanOrEqual(401);
    expect((await app.send('GET /files', { headers: SESSION })).body).toMatchObject({
      errorCode: 'missing_credentials',
    });
    expect(await app.send('GET /files', { key: app.key })).toMatchObject({ status: 403 });
    expect((await app.send('GET /files', { key: app.weakKey, headers: SESSION })).body).toMatchObject({
      errorCode: 'insufficient_scope',
    });
    expect(app.runs).toEqual([]);
    const both = await app.send('GET /files', { key: app.key, headers: SESSION });
    expect(both).toMatchObject({ status: 200, body: { tenant: 'acme' } });
    expect(app.runs).toEqual(['list']);
  });

  describe.each<[string, Type<CanActivate>, Partial<KeyfenceOptions>]>([
    ['the session first', SessionOrKeyGuard, { guard: 'manual' }],
    ['the key first', KeyOrSessionGuard, { guard: 'manual' }],
    ['the session first, without middleware', SessionOrKeyGuard, { guard: 'manual', middleware: { mount: false } }],
    ['the key first, without middleware', KeyOrSessionGuard, { guard: 'manual', middleware: { mount: false } }],
  ])('key OR session, %s', (_how, guard, options) => {
    it('needs one of the two', async () => {
      await using app = await start(platform, [guard], options);
      expect(await app.send('GET /files')).toMatchObject({ status: 401, body: { errorCode: 'missing_credentials' } });
      expect(await app.send('GET /files', { headers: { session: 'mallory' } })).toMatchObject({ status: 401 });
      expect(await app.send('GET /files', { key: app.weakKey })).toMatchObject({
        status: 403,
        body: { errorCode: 'insufficient_scope' },
      });
      expect(await app.send('GET /files', { key: composeKey() })).toMatchObject({
        status: 401,
        body: { errorCode: 'invalid_api_key' },
      });
      expect(app.runs).toEqual([]);
    });

    it('takes a key', async () => {
      await using app = await start(platform, [guard], options);
      expect(await app.send('GET /files', { key: app.key })).toMatchObject({ status: 200, body: { tenant: 'acme' } });
    });

    it('takes a session, which is no key: nobody is known', async () => {
      await using app = await start(platform, [guard], options);
      expect(await app.send('GET /files', { headers: SESSION })).toMatchObject({
        status: 200,
        body: { tenant: 'nobody' },
      });
      expect(app.runs).toEqual(['list']);
    });
  });

  it.each<[string, Partial<KeyfenceOptions>]>([
    ['with middleware', { guard: 'manual' }],
    ['without middleware', { guard: 'manual', middleware: { mount: false } }],
  ])('key OR session, the key first: a session does not make up for a bad key, %s', async (_how, options) => {
    await using app = await start(platform, [KeyOrSessionGuard], options);
    for (const [key, errorCode] of [
      [composeKey(), 'invalid_api_key'],
      [app.weakKey, 'insufficient_scope'],
    ] as const) {
      expect(await app.send('GET /files', { key, headers: SESSION })).toMatchObject({ body: { errorCode } });
    }
    expect(app.runs).toEqual([]);
  });
});
