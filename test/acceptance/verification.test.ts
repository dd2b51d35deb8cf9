import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { InMemoryApiKeyStore } from '../../src/api-key/in-memory-api-key.store.js';
import { composeKey, withWrongChecksum, withWrongSecret } from '../support/sample-key.js';
import { refusal, startAccountApp, visible, type AccountApp } from './support/account-app.js';
import { WAYS } from './support/ways.js';

const HOUR = 3_600_000;

describe.each(WAYS)('on $name', (way) => {
  let app: AccountApp;
  let store: InMemoryApiKeyStore;

  beforeAll(async () => {
    store = new InMemoryApiKeyStore();
    app = await startAccountApp(way, store);
  });
  beforeEach(() => {
    app.runs.length = 0;
    app.events.length = 0;
  });
  afterAll(() => app.close());

  it('28, 69 every kind of bad key has a reason of its own, and one answer', async () => {
    const { clock, service } = app;
    const acme = service.forTenant('acme');
    await using staging = await startAccountApp(way, store, { apiKey: { environment: 'staging' } });
    const [good, expiring, later, revoked, rotated, elsewhere] = await Promise.all([
      app.issue(),
      app.issue({ expiresAt: clock.in(HOUR) }),
      app.issue({ notBefore: clock.in(9 * HOUR) }),
      app.issue(),
      app.issue(),
      app.issue({ allowedIps: ['203.0.113.0/24'] }),
    ]);
    const ofStaging = await staging.issue();
    await acme.revoke(revoked.record.id);
    await acme.rotate(rotated.record.id, { immediate: true });
    clock.advance(HOUR);

    const bad: readonly (readonly [reason: string, key: string])[] = [
      ['unknown_key', composeKey()],
      ['malformed_credentials', `${good.text},${good.text}`],
      ['malformed_key', 'kflive_nonsense'],
      ['bad_checksum', withWrongChecksum(good.text)],
      ['wrong_secret', withWrongSecret(good.text)],
      ['expired', expiring.text],
      ['not_yet_valid', later.text],
      ['revoked', revoked.text],
      ['rotated', rotated.text],
      ['address_not_allowed', elsewhere.text],
      ['wrong_environment', ofStaging.text],
    ];
    const first = await app.call('GET /data', composeKey());
    expect(first).toMatchObject(refusal(401, 'invalid_api_key'));
    for (const [reason, key] of bad) {
      app.events.length = 0;
      expect(visible(await app.call('GET /data', key))).toEqual(visible(first));
      expect(app.events).toEqual([
        expect.objectContaining({ type: 'access_denied', errorCode: 'invalid_api_key', reason }),
      ]);
    }
    expect(app.runs).toEqual([]);
    expect(await app.call('GET /data', good.text)).toMatchObject({ status: 200 });
  });

  it('28 only the holder of a key learns nothing either: a wrong secret of a dead key is a wrong secret', async () => {
    const { record, text } = await app.issue();
    await app.service.forTenant('acme').revoke(record.id);
    app.events.length = 0;
    await app.call('GET /data', withWrongSecret(text));
    await app.call('GET /data', text);
    expect(app.events.map((event) => ('reason' in event ? event.reason : ''))).toEqual(['wrong_secret', 'revoked']);
  });

  it('30 a key reaches its own tenant, whatever the request says', async () => {
    const globex = await app.issue({}, 'globex');
    const headers = { 'x-tenant-id': 'acme', 'x-tenant': 'acme', tenantid: 'acme', cookie: 'tenantId=acme' };
    const answer = await app.send('GET /whoami?tenantId=acme&tenant=acme', { key: globex.text, headers });
    expect(answer).toMatchObject({ status: 200, body: { tenant: 'globex', requestTenantId: 'globex' } });
    const written = await app.call('POST /data', (await app.issue({ scopes: ['data:*'] }, 'globex')).text, {
      tenantId: 'acme',
    });
    expect(written).toMatchObject({ status: 201, body: { tenant: 'globex' } });
  });

  it('31, 32 who is unknown gets 401 with a challenge, and who may not gets 403', async () => {
    const { text } = await app.issue();
    const challenge = (answer: { headers: object }): unknown =>
      new Map(Object.entries(answer.headers)).get('www-authenticate');
    const missing = await app.call('POST /data');
    expect(missing).toMatchObject(refusal(401, 'missing_credentials'));
    expect(challenge(missing)).toBe('Bearer realm="api"');
    const bad = await app.call('POST /data', composeKey());
    expect(bad).toMatchObject(refusal(401, 'invalid_api_key'));
    expect(challenge(bad)).toMatch(/^Bearer realm="api", error="invalid_token"/);
    const insufficient = await app.call('POST /data', text);
    expect(insufficient).toMatchObject(refusal(403, 'insufficient_scope'));
    expect(challenge(insufficient)).toBe('Bearer realm="api", error="insufficient_scope"');
    const undeclared = await app.call('GET /undeclared', text);
    expect(undeclared).toMatchObject(refusal(403, 'undeclared_route'));
    expect(challenge(undeclared)).toBeUndefined();
    expect(app.runs).toEqual([]);
    expect(app.events.map((event) => ('reason' in event ? event.reason : event.type))).toEqual([
      'key_issued',
      'missing_credentials',
      'unknown_key',
      'insufficient_scope',
      'undeclared_route',
    ]);
  });

  it('33, 57 a key that is in the cache starts and ends by the clock, with nothing restarted', async () => {
    const { clock } = app;
    const { text } = await app.issue({ notBefore: clock.in(10_000), expiresAt: clock.in(20_000) });
    const statuses: number[] = [];
    for (const step of [0, 9_999, 1, 9_999, 1, 1]) {
      clock.advance(step);
      statuses.push((await app.call('GET /data', text)).status);
    }
    expect(statuses).toEqual([401, 401, 200, 200, 401, 401]);
  });

  it('33 a key that has ended by the time of day has ended, though no time has passed since it was cached', async () => {
    const { clock } = app;
    const { text } = await app.issue({ expiresAt: clock.in(HOUR) });
    expect(await app.call('GET /data', text)).toMatchObject({ status: 200 });
    clock.shift(HOUR);
    expect(await app.call('GET /data', text)).toMatchObject(refusal(401, 'invalid_api_key'));
    clock.shift(-HOUR);
    expect(await app.call('GET /data', text)).toMatchObject({ status: 200 });
  });
});
