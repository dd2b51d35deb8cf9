import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { InMemoryApiKeyStore } from '../../src/api-key/in-memory-api-key.store.js';
import { refusal, startAccountApp, type AccountApp } from './support/account-app.js';
import { WAYS } from './support/ways.js';

/** What is granted, and which of the routes it opens. */
const ROUTES = [
  'GET /data',
  'POST /data',
  'GET /reports/all',
  'GET /reports/any',
  'GET /reports/project',
  'GET /reports/everything',
];
const GRANTS: readonly (readonly [scopes: readonly string[], opens: readonly string[]])[] = [
  [['data:read'], ['GET /data']],
  [['data:write'], ['POST /data']],
  [['data:*'], ['GET /data', 'POST /data']],
  [['*:read'], ['GET /data', 'GET /reports/all', 'GET /reports/any']],
  [['reports:read'], ['GET /reports/any']],
  [['admin:read'], ['GET /reports/any']],
  [['audit:read'], []],
  [
    ['audit:read', 'reports:read'],
    ['GET /reports/all', 'GET /reports/any'],
  ],
  [['project:123'], ['GET /reports/project']],
  [['project:124', 'project:12', 'project:1234'], []],
  [['project:*'], ['GET /reports/project']],
  [['*:*'], ROUTES],
  [['database:read', 'dat:read', 'DATA:READ', 'data:reader', 'data:rea'], []],
];

describe.each(WAYS)('on $name', (way) => {
  let app: AccountApp;

  beforeAll(async () => {
    app = await startAccountApp(way, new InMemoryApiKeyStore());
  });
  beforeEach(() => {
    app.runs.length = 0;
  });
  afterAll(() => app.close());

  it.each(GRANTS)('59, 60, 64, 66 a key with %j opens what it covers and nothing else', async (scopes, opens) => {
    const { text } = await app.issue({ scopes });
    const opened: string[] = [];
    for (const route of ROUTES) {
      const answer = await app.call(route, text);
      if (answer.status < 300) opened.push(route);
      else expect(answer).toMatchObject(refusal(403, 'insufficient_scope'));
    }
    expect(opened).toEqual(opens);
    expect(app.runs).toHaveLength(opens.length);
  });

  it('32, 60 a refusal names what is missing, and not what the key has', async () => {
    const { text } = await app.issue({ scopes: ['reports:read', 'secret-project:write'] });
    const answer = await app.call('GET /reports/all', text);
    expect(answer).toMatchObject(refusal(403, 'insufficient_scope'));
    expect(answer.text).toContain('audit:read');
    expect(answer.text).not.toMatch(/reports:read|secret-project/);
  });

  it('58 a route that declares nothing is closed to every key, and to whoever has none', async () => {
    const { text } = await app.issue({ scopes: ['*:*'] });
    expect(await app.call('GET /undeclared', text)).toMatchObject(refusal(403, 'undeclared_route'));
    expect(await app.call('GET /undeclared')).toMatchObject({ status: 401 });
    expect(app.runs).toEqual([]);
  });

  it('67 a key with a hundred scopes opens what the last of them covers', async () => {
    const filler = Array.from({ length: 99 }, (_unused, n) => `resource-${n}:action`);
    const { text } = await app.issue({ scopes: [...filler, 'data:read'] });
    expect(await app.call('GET /data', text)).toMatchObject({ status: 200 });
    expect(await app.call('POST /data', text)).toMatchObject(refusal(403, 'insufficient_scope'));
  });

  it('60 a key that gains or loses a scope does so at once, though it is cached', async () => {
    const { record, text } = await app.issue();
    const statuses = [(await app.call('POST /data', text)).status];
    for (const scopes of [['data:*'], ['data:read']]) {
      await app.service.forTenant('acme').update(record.id, { scopes });
      statuses.push((await app.call('POST /data', text)).status);
    }
    expect(statuses).toEqual([403, 201, 403]);
  });
});
