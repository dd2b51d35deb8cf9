import { Catch, HttpException, type ArgumentsHost, type ExceptionFilter } from '@nestjs/common';
import { describe, expect, it, jest } from '@jest/globals';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { ApiKeyAuthenticator } from '../../src/api-key/api-key-authenticator.service.js';
import { ApiKeyValidationMiddleware } from '../../src/api-key/api-key-validation.middleware.js';
import type { Authentication } from '../../src/principal/authentication.js';
import { findingOf, noteFinding, principalOf } from '../../src/tenant/call.js';
import { PLATFORMS } from '../support/adapters.js';
import { MODES, startGuardedApp, type Mode } from '../support/guarded-app.js';
import { API_KEY_DEFAULTS, composeKey } from '../support/sample-key.js';
import { KeyServices } from '../support/key-services.js';
import { StubStore } from '../support/counting-store.js';

const JWT = 'eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl';
const ORIGIN = 'https://app.example';
const PREFLIGHT = {
  origin: ORIGIN,
  'access-control-request-method': 'GET',
  'access-control-request-headers': 'x-api-key',
};

const MOUNTED: Mode = MODES[0] ?? { name: '', options: {}, imports: [], guards: [], middleware: true };
const TABLE = PLATFORMS.flatMap((platform) =>
  MODES.map((mode) => ({ platform, mode, name: `${platform.name}: ${mode.name}` })),
);

describe.each(TABLE)('$name', ({ platform, mode }) => {
  it('lets a CORS preflight through, and lets a browser read a refusal', async () => {
    await using app = await startGuardedApp(
      platform,
      mode,
      {},
      {
        configure: (nest) => {
          nest.enableCors({ origin: ORIGIN });
        },
      },
    );
    const preflight = await app.send('OPTIONS /files', { headers: PREFLIGHT });
    expect(preflight.status).toBe(204);
    expect(preflight.headers['access-control-allow-origin']).toBe(ORIGIN);
    expect(app.runs).toEqual([]);
    for (const key of [undefined, composeKey()]) {
      const refused = await app.send('GET /files', { key, headers: { origin: ORIGIN } });
      expect(refused.status).toBe(401);
      expect(refused.headers['access-control-allow-origin']).toBe(ORIGIN);
    }
  });

  it('takes a key from Authorization: Bearer by option, and leaves a JWT alone', async () => {
    await using app = await startGuardedApp(platform, mode, { apiKey: { bearer: true } });
    const key = await app.key();
    for (const scheme of ['Bearer', 'bearer', 'BEARER']) {
      expect(await app.send('GET /files', { headers: { authorization: `${scheme} ${key}` } })).toMatchObject({
        status: 200,
      });
    }
    for (const authorization of ['Bearer', `Bearer ${JWT}`, `Basic ${key}`]) {
      expect(await app.send('GET /files', { headers: { authorization } })).toMatchObject({
        status: 401,
        body: { errorCode: 'missing_credentials' },
      });
      expect(await app.send('GET /health', { headers: { authorization } })).toMatchObject({ status: 200 });
    }
    expect(await app.send('GET /files', { key, headers: { authorization: `Bearer ${JWT}` } })).toMatchObject({
      status: 200,
    });
    expect(await app.send('GET /files', { key, headers: { authorization: `Bearer ${key}` } })).toMatchObject({
      status: 401,
      body: { errorCode: 'invalid_api_key' },
    });
    // Node sends a list as one header each; its types know that of other headers only.
    const doubled = [`Bearer ${key}`, `Bearer ${key}`] as unknown as string;
    expect(await app.send('GET /files', { headers: { authorization: doubled } })).toMatchObject({
      status: 401,
      body: { errorCode: 'invalid_api_key' },
    });
    expect(app.runs.filter((run) => run === 'list')).toHaveLength(4);
  });

  it('takes a key from a header of another name by option, and then from no other', async () => {
    await using app = await startGuardedApp(platform, mode, { apiKey: { header: 'X-Tenant-Key' } });
    const key = await app.key();
    expect(await app.send('GET /files', { headers: { 'x-tenant-key': key } })).toMatchObject({ status: 200 });
    expect(await app.send('GET /files', { headers: { 'X-TENANT-KEY': key } })).toMatchObject({ status: 200 });
    expect(await app.send('GET /files', { key })).toMatchObject({
      status: 401,
      body: { errorCode: 'missing_credentials' },
    });
  });

  it('asks clientAddress with a request that shows the address of the caller', async () => {
    await using app = await startGuardedApp(platform, mode);
    const here = await app.key({ allowedIps: ['127.0.0.1'] });
    const elsewhere = await app.key({ allowedIps: ['203.0.113.7'] });
    expect(await app.send('GET /files', { key: here })).toMatchObject({ status: 200 });
    const forged = { 'x-forwarded-for': '203.0.113.7', 'x-real-ip': '203.0.113.7', forwarded: 'for=203.0.113.7' };
    expect(await app.send('GET /files', { key: elsewhere, headers: forged })).toMatchObject({ status: 401 });
    expect(app.runs).toEqual(['list']);
  });
});

describe.each(PLATFORMS)('mounted on $name', (platform) => {
  it("refuses a missing key with missingKey: 'reject', on public routes too, but no preflight", async () => {
    await using app = await startGuardedApp(
      platform,
      MOUNTED,
      { middleware: { missingKey: 'reject' } },
      {
        configure: (nest) => {
          nest.enableCors({ origin: ORIGIN });
        },
      },
    );
    for (const line of ['GET /files', 'GET /health']) {
      expect(await app.send(line)).toMatchObject({ status: 401, body: { errorCode: 'missing_credentials' } });
    }
    expect(app.runs).toEqual([]);
    expect(await app.send('OPTIONS /files', { headers: PREFLIGHT })).toMatchObject({ status: 204 });
    expect(await app.send('GET /files', { key: await app.key() })).toMatchObject({ status: 200 });
  });

  it('passes excluded routes by, which are guarded all the same', async () => {
    await using app = await startGuardedApp(platform, MOUNTED, {
      middleware: { missingKey: 'reject', exclude: ['health', 'files'] },
    });
    expect(await app.send('GET /health')).toMatchObject({ status: 200 });
    expect(await app.send('GET /files')).toMatchObject({ status: 401 });
    expect(await app.send('GET /files', { key: composeKey() })).toMatchObject({ status: 401 });
    expect(app.runs).toEqual(['health']);
    const key = await app.key();
    app.store.reset();
    expect(await app.send('GET /files', { key })).toMatchObject({ status: 200, body: { requestTenantId: 'acme' } });
    expect(app.store.calls).toEqual(['findByLocator']);
  });

  it('answers a bad key before the body of the request is read', async () => {
    await using app = await startGuardedApp(platform, MOUNTED);
    const headers = { 'content-type': 'text/plain' };
    const answer = await app.send('POST /files', { key: composeKey(), headers, body: 'x'.repeat(1_000) });
    expect(answer).toMatchObject({ status: 401, body: { errorCode: 'invalid_api_key' } });
    expect(app.runs).toEqual([]);
  });

  it('leaves the refusals of the guard to the filters of the application', async () => {
    @Catch(HttpException)
    class OwnFilter implements ExceptionFilter<HttpException> {
      catch(exception: HttpException, host: ArgumentsHost): void {
        const reply = host.switchToHttp().getResponse<{ status(code: number): { send(body: unknown): void } }>();
        reply.status(exception.getStatus()).send({ own: exception.message });
      }
    }
    await using app = await startGuardedApp(
      platform,
      MOUNTED,
      {},
      {
        configure: (nest) => {
          nest.useGlobalFilters(new OwnFilter());
        },
      },
    );
    expect(await app.send('GET /files')).toMatchObject({ status: 401, body: { own: 'An API key is required.' } });
  });
});

describe('the middleware alone', () => {
  interface Passing {
    readonly request: IncomingMessage;
    readonly authenticator: ApiKeyAuthenticator;
    readonly end: ReturnType<typeof jest.fn>;
    readonly next: ReturnType<typeof jest.fn>;
  }

  async function pass(fields: object, options: Partial<typeof API_KEY_DEFAULTS> = {}): Promise<Passing> {
    const settings = { ...API_KEY_DEFAULTS, ...options };
    const { authenticator, denials } = new KeyServices(new StubStore(() => Promise.resolve(null)), settings);
    const request = { method: 'GET', headers: {}, ...fields } as unknown as IncomingMessage;
    const end = jest.fn();
    const next = jest.fn();
    const response = { setHeader: jest.fn(), end } as unknown as ServerResponse;
    await new ApiKeyValidationMiddleware(authenticator, settings, denials).use(request, response, next);
    return { request, authenticator, end, next };
  }

  it.each<[string, object, Partial<typeof API_KEY_DEFAULTS>, 'passes' | 'answers']>([
    ['no key', {}, {}, 'passes'],
    ['no key, if that is refused', {}, { missingKey: 'reject' }, 'answers'],
    ['a bad key', { headers: { 'x-api-key': 'bad' } }, {}, 'answers'],
    ['an unknown key', { headers: { 'x-api-key': composeKey() } }, {}, 'answers'],
    ['a bad key, if that is ignored', { headers: { 'x-api-key': 'bad' } }, { invalidKey: 'ignore' }, 'passes'],
    [
      'a preflight',
      { method: 'OPTIONS', headers: { ...PREFLIGHT, 'x-api-key': 'bad' } },
      { missingKey: 'reject' },
      'passes',
    ],
    [
      'OPTIONS without Origin',
      { method: 'OPTIONS', headers: { 'access-control-request-method': 'GET', 'x-api-key': 'bad' } },
      {},
      'answers',
    ],
    [
      'OPTIONS that asks for no method',
      { method: 'OPTIONS', headers: { origin: ORIGIN, 'x-api-key': 'bad' } },
      {},
      'answers',
    ],
    ['GET with the headers of a preflight', { headers: { ...PREFLIGHT, 'x-api-key': 'bad' } }, {}, 'answers'],
  ])('%s', async (_what, fields, options, expected) => {
    const { end, next } = await pass(fields, options);
    expect([next.mock.calls.length, end.mock.calls.length]).toEqual(expected === 'passes' ? [1, 0] : [0, 1]);
  });

  it('never notes a principal for a request that it only passes', async () => {
    for (const fields of [{}, { method: 'OPTIONS', headers: PREFLIGHT }]) {
      const { request, authenticator } = await pass(fields);
      expect(findingOf(request, authenticator)).toBeUndefined();
      expect(principalOf(request)).toBeUndefined();
    }
  });

  it('leaves a request alone that somebody has looked at already', async () => {
    const found: Authentication = { status: 'missing' };
    const request = { headers: { 'x-api-key': 'bad' } };
    const { authenticator, denials } = new KeyServices(new StubStore(() => null));
    noteFinding(request, authenticator, found);
    const next = jest.fn();
    await new ApiKeyValidationMiddleware(authenticator, API_KEY_DEFAULTS, denials).use(
      request as unknown as IncomingMessage,
      {} as ServerResponse,
      next,
    );
    expect(next).toHaveBeenCalledTimes(1);
    expect(findingOf(request, authenticator)).toBe(found);
  });
});
