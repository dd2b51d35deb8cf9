import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { InMemoryApiKeyStore } from '../../src/api-key/in-memory-api-key.store.js';
import { composeKey } from '../support/sample-key.js';
import { MANAGER_SCOPES, refusal, startAccountApp, type AccountApp } from './support/account-app.js';
import { WAYS } from './support/ways.js';

const TITLES: Readonly<Record<number, string>> = {
  401: 'Unauthorized',
  403: 'Forbidden',
  404: 'Not Found',
  409: 'Conflict',
};

describe.each(WAYS)('on $name', (way) => {
  let app: AccountApp;

  beforeAll(async () => {
    app = await startAccountApp(way, new InMemoryApiKeyStore());
  });
  beforeEach(() => {
    app.runs.length = 0;
  });
  afterAll(() => app.close());

  it.each(['GET /data/events', 'GET /data/download', 'GET /per-request'])(
    '81, 82 nothing of %s is sent without a key that may have it',
    async (line) => {
      const { text } = await app.issue({ scopes: ['other:read'] });
      for (const [key, status, code] of [
        [undefined, 401, 'missing_credentials'],
        [composeKey(), 401, 'invalid_api_key'],
        [text, 403, 'insufficient_scope'],
      ] as const) {
        const answer = await app.call(line, key);
        expect(answer).toMatchObject(refusal(status, code));
        expect(answer.text).not.toContain('acme');
      }
      expect(app.runs).toEqual([]);
    },
  );

  it('81 a stream of events and a streamed file know the tenant of the key', async () => {
    const { text } = await app.issue();
    const events = await app.call('GET /data/events', text);
    expect(events.headers['content-type']).toContain('text/event-stream');
    expect(events.text).toContain('data: {"tenant":"acme"}');
    expect(await app.call('GET /data/download', text)).toMatchObject({ status: 200, text: 'of acme' });
  });

  it('82 a controller that is made for each request knows the tenant of its own', async () => {
    const keys = await Promise.all(['acme', 'globex', 'initech'].map((tenant) => app.issue({}, tenant)));
    const answers = await Promise.all([...keys, ...keys].map(({ text }) => app.call('GET /per-request', text)));
    expect(answers.map(({ body }) => (body as { tenant: string }).tenant)).toEqual([
      ...['acme', 'globex', 'initech'],
      ...['acme', 'globex', 'initech'],
    ]);
  });

  it('84 every refusal has the status and the body of an exception of Nest, and a code', async () => {
    const manager = await app.issue({ scopes: MANAGER_SCOPES });
    const revoked = await app.issue();
    await app.service.forTenant('acme').revoke(revoked.record.id);
    const made: readonly (readonly [answer: ReturnType<AccountApp['call']>, status: number, code: string])[] = [
      [app.call('GET /data'), 401, 'missing_credentials'],
      [app.call('GET /data', composeKey()), 401, 'invalid_api_key'],
      [app.call('GET /reports/everything', manager.text), 403, 'insufficient_scope'],
      [app.call('GET /undeclared', manager.text), 403, 'undeclared_route'],
      [app.call('POST /keys', manager.text, { name: 'n', scopes: ['*:*'] }), 403, 'grant_exceeded'],
      [app.call('GET /keys/key_none', manager.text), 404, 'key_not_found'],
      [app.call(`POST /keys/${revoked.record.id}/rotate`, manager.text, {}), 409, 'key_conflict'],
    ];
    for (const [answered, status, code] of made) {
      const answer = await answered;
      expect(answer).toMatchObject(refusal(status, code));
      expect(Object.keys(answer.body as object).sort()).toEqual(['error', 'errorCode', 'message', 'statusCode']);
      expect(answer.body).toMatchObject({ error: TITLES[status] });
      expect(answer.headers['content-type']).toMatch(/^application\/json/);
    }
    // Nest logs what it takes for a fault of the application.
    expect(app.log.textOf('error')).toBe('');
  });

  it('70 a public route is open without a key, and knows a bad one from none', async () => {
    expect(await app.call('GET /health')).toMatchObject({ status: 200 });
    expect(await app.call('GET /health', (await app.issue()).text)).toMatchObject({ status: 200 });
    expect(await app.call('GET /health', composeKey())).toMatchObject(refusal(401, 'invalid_api_key'));
    expect(app.runs).toEqual(['HealthController.get', 'HealthController.get']);
  });
});
