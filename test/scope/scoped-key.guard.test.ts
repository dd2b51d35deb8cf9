import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { ApiKeyService } from '../../src/api-key/api-key.service.js';
import { InMemoryApiKeyStore } from '../../src/api-key/in-memory-api-key.store.js';
import type { KeyfenceOptions } from '../../src/options.js';
import { PLATFORMS } from '../support/adapters.js';
import { CountingStore } from '../support/counting-store.js';
import { MODES, startGuardedApp, type GuardedApp } from '../support/guarded-app.js';
import { composeKey, withWrongChecksum, withWrongSecret } from '../support/sample-key.js';
import type { Answer } from '../support/send.js';

const MISSING = {
  statusCode: 401,
  error: 'Unauthorized',
  message: 'An API key is required.',
  errorCode: 'missing_credentials',
};
const INVALID = {
  statusCode: 401,
  error: 'Unauthorized',
  message: 'The API key is not valid.',
  errorCode: 'invalid_api_key',
};
const INVALID_CHALLENGE = 'Bearer realm="api", error="invalid_token", error_description="The API key is not valid"';
const UNAVAILABLE = {
  statusCode: 503,
  error: 'Service Unavailable',
  message: 'API keys cannot be checked right now.',
  errorCode: 'key_store_unavailable',
};

function insufficient(missing: string): object {
  return {
    statusCode: 403,
    error: 'Forbidden',
    message: `The API key lacks: ${missing}.`,
    errorCode: 'insufficient_scope',
  };
}

/** All that a caller can see, but for the time of day. */
function visible({ status, headers, text }: Answer): object {
  return { status, headers: { ...headers, date: undefined }, text };
}

class DownStore extends CountingStore {
  down = false;

  constructor() {
    super(new InMemoryApiKeyStore());
  }

  override findByLocator(locator: string): ReturnType<CountingStore['findByLocator']> {
    if (this.down) return Promise.reject(new Error('connect ECONNREFUSED postgres://user:password@db'));
    return super.findByLocator(locator);
  }
}

const TABLE = PLATFORMS.flatMap((platform) =>
  MODES.map((mode) => ({ platform, mode, name: `${platform.name}: ${mode.name}` })),
);

describe.each(TABLE)('$name', ({ platform, mode }) => {
  let app: GuardedApp;
  /** Every key that was sent, and every answer: at the end, none of the former may be in the latter or in the log. */
  const keys: string[] = [];
  const answers: Answer[] = [];

  async function ask(line: string, key?: string, sending: object = {}): Promise<Answer> {
    if (key !== undefined && key.length > 10) keys.push(key);
    const answer = await app.send(line, { key, ...sending });
    answers.push(answer);
    return answer;
  }

  async function start(options: Partial<KeyfenceOptions> = {}): Promise<GuardedApp> {
    return startGuardedApp(platform, mode, options);
  }

  beforeAll(async () => {
    app = await start();
  });

  beforeEach(() => {
    app.store.reset();
    app.runs.length = 0;
  });

  afterAll(async () => {
    const printed = [
      app.log.textOf(),
      ...answers.map((answer) => JSON.stringify([answer.headers, answer.text])),
    ].join();
    await app.close();
    expect(keys.length).toBeGreaterThan(5);
    // The last 20 characters are secret and checksum; whatever shows a part of them shows too much.
    for (const key of keys) expect(printed).not.toContain(key.slice(-20));
  });

  it('answers a request without a key 401 missing_credentials, and asks no store', async () => {
    const answer = await ask('GET /files');
    expect(answer).toMatchObject({ status: 401, body: MISSING });
    expect(answer.headers['www-authenticate']).toBe('Bearer realm="api"');
    expect(answer.headers['content-type']).toMatch(/^application\/json/);
    expect(app.runs).toEqual([]);
    expect(app.store.calls).toEqual([]);
  });

  it('lets a good key in, with one look-up, and tells the handler who calls', async () => {
    const key = await app.key({ id: `key_${platform.name}`, tenantId: 'acme' });
    app.store.reset();
    const answer = await ask('GET /files', key);
    expect(answer).toMatchObject({
      status: 200,
      body: { requestTenantId: 'acme', tenant: 'acme', keyId: `key_${platform.name}` },
    });
    expect(answer.headers['www-authenticate']).toBeUndefined();
    expect(app.runs).toEqual(['list']);
    expect(app.store.calls).toEqual(['findByLocator']);
  });

  it('gives one and the same answer to every kind of bad key', async () => {
    const good = await app.key();
    const bad: Record<string, string> = {
      'another format': 'sk_test_4eC39HqLyjWDarjtT1zdp7dc',
      'an empty header': '',
      'a wrong checksum': withWrongChecksum(good),
      'a cut key': good.slice(0, -1),
      'two keys joined': `${good}, ${good}`,
      'an over-long key': 'a'.repeat(600),
      'an unknown key': composeKey(),
      'a wrong secret': withWrongSecret(good),
      'another environment': composeKey({ label: 'kftest' }),
      'a revoked key': await app.key({ revokedAt: app.clock.in(-1) }),
      'an expired key': await app.key({ expiresAt: app.clock.in(-1) }),
      'a key of tomorrow': await app.key({ notBefore: app.clock.in(86_400_000) }),
      'a key bound to another address': await app.key({ allowedIps: ['203.0.113.7'] }),
      'a malformed record': await app.key({ tenantId: '../globex' }),
      'an unknown digest version': await app.key({ digestVersion: 'sha512' }),
    };
    const seen = new Map<string, object>();
    for (const [what, key] of Object.entries(bad)) seen.set(what, visible(await ask('GET /files', key)));
    const [first] = seen.values();
    for (const [what, answer] of seen) expect({ what, ...answer }).toEqual({ what, ...first });
    expect(first).toMatchObject({ status: 401, headers: { 'www-authenticate': INVALID_CHALLENGE } });
    expect((await ask('GET /files', bad['a wrong secret'])).body).toEqual(INVALID);
    expect(app.runs).toEqual([]);
    // The control: the key that some of them were made of works.
    expect(await ask('GET /files', good)).toMatchObject({ status: 200 });
  });

  it('refuses a header that was sent twice, even with the same good key', async () => {
    const key = await app.key();
    const answer = await ask('GET /files', undefined, { headers: { 'x-api-key': [key, key] } });
    expect(answer).toMatchObject({ status: 401, body: INVALID });
    expect(app.runs).toEqual([]);
  });

  it('reads no key from the query, a cookie, a body or Authorization', async () => {
    const key = await app.key();
    const headers = {
      cookie: `x-api-key=${key}`,
      authorization: `Bearer ${key}`,
      'content-type': 'application/json',
    };
    const body = JSON.stringify({ 'x-api-key': key });
    keys.push(key);
    const answer = await ask(`POST /files?x-api-key=${key}&api_key=${key}`, undefined, { headers, body });
    expect(answer).toMatchObject({ status: 401, body: MISSING });
    expect(app.runs).toEqual([]);
  });

  it('answers 403 insufficient_scope, naming only what is missing', async () => {
    const key = await app.key({ scopes: ['files:read', 'audit:read', 'secret-project:read'] });
    const write = await ask('POST /files', key);
    expect(write).toMatchObject({ status: 403, body: insufficient('files:write') });
    expect(write.headers['www-authenticate']).toBe('Bearer realm="api", error="insufficient_scope"');
    expect(await ask('GET /files/admin', key)).toMatchObject({ status: 403, body: insufficient('admin:read') });
    expect(write.text).not.toContain('secret-project');
    expect(app.runs).toEqual([]);
  });

  it('adds up what class and method require', async () => {
    const methodOnly = await app.key({ scopes: ['admin:read', 'audit:read'] });
    expect(await ask('GET /files/admin', methodOnly)).toMatchObject({ status: 403, body: insufficient('files:read') });
    expect(app.runs).toEqual([]);
    const both = await app.key({ scopes: ['files:read', 'admin:*', '*:read'] });
    expect(await ask('GET /files/admin', both)).toMatchObject({ status: 200 });
    expect(app.runs).toEqual(['admin']);
  });

  it('denies a key without scopes wherever one is required', async () => {
    const key = await app.key({ scopes: [] });
    expect(await ask('GET /files', key)).toMatchObject({ status: 403, body: insufficient('files:read') });
    expect(app.runs).toEqual([]);
    expect(await ask('GET /health/closed', key)).toMatchObject({ status: 200 });
  });

  it('denies every call of a route that declares nothing', async () => {
    const almighty = await app.key({ scopes: ['*:*'] });
    expect(await ask('GET /undeclared', almighty)).toMatchObject({
      status: 403,
      body: { statusCode: 403, error: 'Forbidden', errorCode: 'undeclared_route' },
    });
    expect(await ask('GET /undeclared')).toMatchObject({ status: 401, body: { errorCode: 'missing_credentials' } });
    expect(await ask('GET /undeclared', composeKey())).toMatchObject({ status: 401, body: INVALID });
    expect(app.runs).toEqual([]);
  });

  it('takes HEAD for reading, and answers it without a body', async () => {
    const key = await app.key();
    expect(await ask('HEAD /files/any', key)).toMatchObject({ status: 200, text: '' });
    expect(app.runs).toEqual(['any']);
    expect(await ask('HEAD /files/any')).toMatchObject({ status: 401, text: '' });
    expect(await ask('HEAD /files/any', composeKey())).toMatchObject({ status: 401, text: '' });
    expect(app.runs).toEqual(['any']);
  });

  it('guards a handler of OPTIONS, also against what looks like a preflight', async () => {
    const preflight = { origin: 'https://app.example', 'access-control-request-method': 'GET' };
    for (const headers of [{}, preflight]) {
      expect(await ask('OPTIONS /files/any', undefined, { headers })).toMatchObject({ status: 401 });
      expect(await ask('OPTIONS /files/any', composeKey(), { headers })).toMatchObject({ status: 401, body: INVALID });
    }
    expect(app.runs).toEqual([]);
    const key = await app.key({ scopes: ['files:write'] });
    expect(await ask('OPTIONS /files/any', key, { headers: preflight })).toMatchObject({ status: 200 });
  });

  it('sees a revocation at once', async () => {
    const id = `key_revoked_${platform.name}`;
    const key = await app.key({ id });
    expect(await ask('GET /files', key)).toMatchObject({ status: 200 });
    await app.app.get(ApiKeyService).forTenant('acme').revoke(id);
    expect(await ask('GET /files', key)).toMatchObject({ status: 401, body: INVALID });
    expect(app.runs).toEqual(['list']);
  });

  describe('on a public route', () => {
    it('needs no key, and knows nobody', async () => {
      expect(await ask('GET /health')).toMatchObject({ status: 200, body: {} });
      expect(app.runs).toEqual(['health']);
      expect(app.store.calls).toEqual([]);
    });

    it('knows whoever sends a good key', async () => {
      const key = await app.key({ id: `key_public_${platform.name}` });
      expect(await ask('GET /health', key)).toMatchObject({
        status: 200,
        body: { tenantId: 'acme', keyId: `key_public_${platform.name}` },
      });
    });

    it('refuses a bad key', async () => {
      const answer = await ask('GET /health', composeKey());
      expect(answer).toMatchObject({ status: 401, body: INVALID });
      expect(answer.headers['www-authenticate']).toBe(INVALID_CHALLENGE);
      expect(app.runs).toEqual([]);
    });

    it("takes a bad key for none with invalidKey: 'ignore', there and nowhere else", async () => {
      await using ignoring = await start({ invalidKey: 'ignore' });
      const bad = composeKey();
      expect(await ignoring.send('GET /health', { key: bad })).toMatchObject({ status: 200, body: {} });
      expect(ignoring.runs).toEqual(['health']);
      expect(await ignoring.send('GET /files', { key: bad })).toMatchObject({ status: 401, body: INVALID });
      expect(await ignoring.send('GET /health/closed', { key: bad })).toMatchObject({ status: 401, body: INVALID });
      expect(ignoring.runs).toEqual(['health']);
    });

    it('answers a handler that needs the tenant 401, if there is none', async () => {
      expect(await ask('GET /health/needs-tenant')).toMatchObject({ status: 401, body: MISSING });
      expect(app.runs).toEqual([]);
      expect(await ask('GET /health/needs-tenant', await app.key())).toMatchObject({ status: 200 });
    });

    it('closes a method that requires something', async () => {
      expect(await ask('GET /health/closed')).toMatchObject({ status: 401, body: MISSING });
      expect(app.runs).toEqual([]);
    });
  });

  it('denies guarded routes while the store is down, and never public ones', async () => {
    const store = new DownStore();
    await using failing = await start({ store });
    const key = composeKey();
    store.down = true;
    const answer = await failing.send('GET /files', { key });
    expect(answer).toMatchObject({ status: 503, body: UNAVAILABLE });
    expect(answer.headers['www-authenticate']).toBeUndefined();
    expect(failing.runs).toEqual([]);
    expect(await failing.send('GET /health', { key })).toMatchObject({ status: 200, body: {} });
    expect(await failing.send('GET /files')).toMatchObject({ status: 401, body: MISSING });
    expect(failing.runs).toEqual(['health']);
    expect([answer.text, failing.log.textOf()].join()).not.toContain('password');
    store.down = false;
    expect(await failing.send('GET /files', { key })).toMatchObject({ status: 401, body: INVALID });
  });

  it('denies a key that expires between two requests', async () => {
    const key = await app.key({ expiresAt: app.clock.in(1_000) });
    expect(await ask('GET /files', key)).toMatchObject({ status: 200 });
    app.clock.advance(1_000);
    expect(await ask('GET /files', key)).toMatchObject({ status: 401, body: INVALID });
    expect(app.runs).toEqual(['list']);
  });

  it('answers a missing route without asking for a key, as Nest does', async () => {
    expect(await ask('GET /nowhere')).toMatchObject({ status: 404 });
  });
});

describe.each(PLATFORMS)('the answers of middleware and guard on $name', (platform) => {
  it.each(['GET /files', 'POST /files', 'HEAD /files', 'GET /health'])(
    'are the same for a bad key: %s',
    async (line) => {
      const seen: object[] = [];
      for (const mode of MODES) {
        await using app = await startGuardedApp(platform, mode);
        const { status, headers, text } = await app.send(line, { key: composeKey() });
        seen.push({ mode: '', status, text, challenge: headers['www-authenticate'], type: headers['content-type'] });
        expect(app.runs).toEqual([]);
      }
      expect(seen).toHaveLength(4);
      for (const answer of seen) expect(answer).toEqual(seen[0]);
    },
  );
});
