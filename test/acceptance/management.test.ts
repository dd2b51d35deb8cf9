import { afterAll, beforeAll, beforeEach, describe, expect, it, jest } from '@jest/globals';
import type { ManagedApiKeyStore } from '../../src/api-key/api-key.store.js';
import { InMemoryApiKeyStore } from '../../src/api-key/in-memory-api-key.store.js';
import type { TenantId } from '../../src/principal/tenant-id.js';
import { CountingStore } from '../support/counting-store.js';
import {
  keyIn,
  MANAGER_SCOPES,
  refusal,
  startAccountApp,
  visible,
  type AccountApp,
  type HeldKey,
} from './support/account-app.js';
import { storesForThisFile } from './support/stores.js';
import { TWO_WAYS, WAYS } from './support/ways.js';

jest.setTimeout(30_000);

const HOUR = 3_600_000;
const ACME = 'acme' as TenantId;
const GLOBEX = 'globex' as TenantId;
const NEW_KEY = { name: 'a key', scopes: ['data:read'] };

/** Every verb of the controller on one key. */
// Each row is full: Jest takes a missing last parameter for its "done" callback.
const VERBS: readonly (readonly [verb: string, line: (id: string) => string, body: object | undefined])[] = [
  ['get', (id) => `GET /keys/${id}`, undefined],
  ['update', (id) => `PATCH /keys/${id}`, { name: 'taken over' }],
  ['rotate', (id) => `POST /keys/${id}/rotate`, {}],
  ['revoke', (id) => `DELETE /keys/${id}`, undefined],
];

const stores = await storesForThisFile();
const IN_EACH = stores.flatMap((store) =>
  TWO_WAYS.map((way) => ({ name: `${store.name} on ${way.name}`, store, way })),
);

describe.each(IN_EACH)('with $name', ({ store: { open }, way }) => {
  it.each(VERBS)("30, 52, 89 another tenant's key is the same as none: %s", async (_verb, line, body) => {
    const { store } = await open();
    await using app = await startAccountApp(way, store);
    const manager = await app.issue({ scopes: MANAGER_SCOPES });
    const theirs = await app.issue({}, 'globex');
    const before = await store.findById(GLOBEX, theirs.record.id);

    const none = await app.call(line('key_0123456789abcdef01234567'), manager.text, body);
    expect(none).toMatchObject(refusal(404, 'key_not_found'));
    for (const id of [theirs.record.id, theirs.record.locator, theirs.text]) {
      expect(visible(await app.call(line(id), manager.text, body))).toEqual(visible(none));
    }
    expect(await store.findById(GLOBEX, theirs.record.id)).toEqual(before);
    expect(await app.call('GET /data', theirs.text)).toMatchObject({ status: 200 });
    expect((await app.call('GET /keys?all=true', manager.text)).text).not.toContain(theirs.record.id);
    // Control: the same call on a key of its own.
    const { id } = (await app.issue()).record;
    expect((await app.call(line(id), manager.text, body)).status).toBeLessThan(300);
  });
});

describe.each(WAYS)('on $name', (way) => {
  let app: AccountApp;
  let store: CountingStore;
  let manager: HeldKey;

  beforeAll(async () => {
    store = new CountingStore(new InMemoryApiKeyStore());
    app = await startAccountApp(way, store);
    manager = await app.issue({ scopes: MANAGER_SCOPES });
  });
  beforeEach(() => {
    store.reset();
    app.runs.length = 0;
  });
  afterAll(() => app.close());

  it.each<[string, object]>([
    ['tenantId', { tenantId: 'globex' }],
    ['tenant', { tenant: 'globex' }],
    ['owner', { owner: 'root' }],
    ['ownerId', { ownerId: 'root' }],
    ['userId', { userId: 'root' }],
    ['id', { id: 'key_chosen' }],
    ['locator', { locator: '0123456789abcdef' }],
    ['digest', { digest: 'a'.repeat(64) }],
    ['digestVersion', { digestVersion: 'sha256' }],
    ['environment', { environment: 'staging' }],
    ['createdAt', { createdAt: '2000-01-01T00:00:00.000Z' }],
    ['revokedAt', { revokedAt: null }],
    ['rotatedTo', { rotatedTo: 'key_other' }],
    ['graceEndsAt', { graceEndsAt: '2999-01-01T00:00:00.000Z' }],
    ['lineageId', { lineageId: 'key_other' }],
    ['lastUsedAt', { lastUsedAt: null }],
    ['version', { version: 100 }],
    ['grantedBy', { grantedBy: { tenantId: 'globex', scopes: ['*:*'] } }],
    ['key', { key: 'chosen-by-the-client-itself' }],
    ['remaining', { remaining: 1_000_000 }],
  ])('77, 89 %s in a body is refused, and nothing is written', async (_field, chosen) => {
    const { record } = await app.issue();
    store.reset();
    expect(await app.call('POST /keys', manager.text, { ...NEW_KEY, ...chosen })).toMatchObject({ status: 400 });
    expect(await app.call(`PATCH /keys/${record.id}`, manager.text, { name: 'n', ...chosen })).toMatchObject({
      status: 400,
    });
    expect(store.writes).toBe(0);
    expect(await store.findById(ACME, record.id)).toEqual({ ...record, digest: record.digest });
    // Control: without the field both are done.
    expect(await app.call('POST /keys', manager.text, NEW_KEY)).toMatchObject({ status: 201 });
    expect(await app.call(`PATCH /keys/${record.id}`, manager.text, { name: 'n' })).toMatchObject({ status: 200 });
  });

  it('77, 89 a __proto__ in a body changes nothing of the key', async () => {
    const body = '{"name":"a key","scopes":["data:read"],"__proto__":{"tenantId":"globex","scopes":["*:*"]}}';
    const headers = { 'content-type': 'application/json' };
    const answer = await app.send('POST /keys', { key: manager.text, headers, body });
    expect([400, 201]).toContain(answer.status);
    if (answer.status === 201) expect(keyIn(answer).record).toMatchObject({ tenantId: 'acme', scopes: ['data:read'] });
    expect((await store.list(GLOBEX, { limit: 10, includeRevoked: true })).items).toEqual([]);
  });

  it.each<[string, object]>([
    ['no name', { scopes: ['data:read'] }],
    ['an empty name', { name: '', scopes: ['data:read'] }],
    ['a blank name', { name: '  ', scopes: ['data:read'] }],
    ['a name of 101 characters', { ...NEW_KEY, name: 'n'.repeat(101) }],
    ['a name that is no text', { ...NEW_KEY, name: ['n'] }],
    ['metadata that is a list', { ...NEW_KEY, metadata: [1] }],
    ['metadata that is a text', { ...NEW_KEY, metadata: 'gold' }],
    ['metadata of 5000 bytes', { ...NEW_KEY, metadata: { m: 'm'.repeat(5_000) } }],
    ['no scopes', { name: 'a key' }],
    ['an empty list of scopes', { name: 'a key', scopes: [] }],
    ['scopes that are a text', { name: 'a key', scopes: 'data:read' }],
    ['a scope that is none', { name: 'a key', scopes: ['everything'] }],
    ['101 scopes', { name: 'a key', scopes: Array.from({ length: 101 }, (_unused, n) => `data:${n}`) }],
    ['an end that has passed', { ...NEW_KEY, expiresAt: '2020-01-01T00:00:00.000Z' }],
    ['an end that is no date', { ...NEW_KEY, expiresAt: 'never' }],
    ['an end that is a number', { ...NEW_KEY, expiresAt: 4_000_000_000_000 }],
    ['a range that is none', { ...NEW_KEY, allowedIps: ['192.168.*'] }],
    ['an empty list of addresses', { ...NEW_KEY, allowedIps: [] }],
    ['a path that climbs', { ...NEW_KEY, paths: ['../globex/**'] }],
    ['all paths', { ...NEW_KEY, paths: ['**'] }],
  ])('9, 63 a new key with %s is refused, and nothing is written', async (_what, body) => {
    expect(await app.call('POST /keys', manager.text, body)).toMatchObject({ status: 400 });
    expect(store.writes).toBe(0);
  });

  it('89 nobody manages keys without a key, or with one that may only read', async () => {
    const { record } = await app.issue();
    const reader = await app.issue({ scopes: ['keys:read', 'data:*'] });
    const stranger = await app.issue({ scopes: ['data:*', 'files:*'] });
    store.reset();
    const lines: readonly (readonly [line: string, body?: object])[] = [
      ['POST /keys', NEW_KEY],
      ...VERBS.map(([, line, body]) => [line(record.id), body] as const),
      ['GET /keys'],
    ];
    for (const [line, body] of lines) {
      const reads = line.startsWith('GET');
      expect(await app.call(line, undefined, body)).toMatchObject(refusal(401, 'missing_credentials'));
      expect(await app.call(line, stranger.text, body)).toMatchObject(refusal(403, 'insufficient_scope'));
      const answer = await app.call(line, reader.text, body);
      expect(answer).toMatchObject(reads ? { status: 200 } : refusal(403, 'insufficient_scope'));
    }
    expect(store.writes).toBe(0);
    expect(app.runs).toEqual(['KeysController.get', 'KeysController.list']);
  });

  it.each<[string, object]>([
    ['a scope that it has not', { scopes: ['data:read', 'admin:write'] }],
    ['a wildcard over one that it has', { scopes: ['reports:*'] }],
    ['all scopes', { scopes: ['*:*'] }],
    ['no end, where it has one', { expiresAt: undefined }],
    ['a later end', { expiresAt: '2999-01-01T00:00:00.000Z' }],
    ['other addresses', { allowedIps: ['10.0.0.0/8'] }],
    ['a wider range', { allowedIps: ['0.0.0.0/0'] }],
    ['other paths', { paths: ['secret/**'] }],
  ])('53, 68 a key gives no more than it holds: %s', async (_what, wider) => {
    const narrow = { expiresAt: app.clock.in(HOUR), allowedIps: ['127.0.0.0/8'], paths: ['reports/**'] };
    const grantor = await app.issue({ scopes: MANAGER_SCOPES, ...narrow });
    const within = { ...NEW_KEY, expiresAt: app.clock.in(HOUR).toISOString() };
    const mine = keyIn(await app.call('POST /keys', grantor.text, within));
    // What is left out is the grantor's.
    expect(mine.record).toMatchObject({ allowedIps: ['127.0.0.0/8'], paths: ['reports/**'] });
    store.reset();
    const { expiresAt, ...changes } = wider as { expiresAt?: string };
    const change = 'expiresAt' in wider ? { expiresAt: expiresAt ?? null } : changes;
    const answers = [
      await app.call('POST /keys', grantor.text, { ...within, ...wider }),
      await app.call(`PATCH /keys/${mine.record.id}`, grantor.text, change),
    ];
    for (const answer of answers) {
      expect(answer).toMatchObject(refusal(403, 'grant_exceeded'));
      expect(answer.text).not.toContain('keys:');
    }
    expect(store.writes).toBe(0);
    expect((await app.call('GET /whoami', mine.key)).body).toMatchObject({ principal: { scopes: ['data:read'] } });
    // Control: a change within it is made.
    expect(await app.call(`PATCH /keys/${mine.record.id}`, grantor.text, { name: 'n' })).toMatchObject({ status: 200 });
  });

  it('53 a key does not change, replace or end one that holds more than it does', async () => {
    const grantor = await app.issue({ scopes: ['keys:*', 'data:read'] });
    const { record, text } = await app.issue({ scopes: ['data:*'] });
    store.reset();
    for (const [verb, line, body] of VERBS) {
      if (verb === 'get') continue;
      expect(await app.call(line(record.id), grantor.text, body)).toMatchObject(refusal(403, 'grant_exceeded'));
    }
    expect(store.writes).toBe(0);
    expect(await app.call('POST /data', text)).toMatchObject({ status: 201 });
  });

  it('90 a manager whose key is revoked, replaced or over manages nothing from then on', async () => {
    const ends: readonly (readonly [string, (key: HeldKey) => Promise<unknown>])[] = [
      ['revoked', ({ record }) => app.service.forTenant('acme').revoke(record.id)],
      ['replaced', ({ record }) => app.service.forTenant('acme').rotate(record.id, { immediate: true })],
      ['narrowed', ({ record }) => app.service.forTenant('acme').update(record.id, { scopes: ['data:read'] })],
      [
        'over',
        () => {
          app.clock.advance(HOUR);
          return Promise.resolve();
        },
      ],
    ];
    for (const [how, end] of ends) {
      const expiresAt = how === 'over' ? app.clock.in(HOUR) : undefined;
      const caller = await app.issue({ scopes: MANAGER_SCOPES, expiresAt });
      const body = { ...NEW_KEY, expiresAt: app.clock.in(HOUR - 1).toISOString() };
      expect(await app.call('POST /keys', caller.text, body)).toMatchObject({ status: 201 });
      await end(caller);
      store.reset();
      const status = how === 'narrowed' ? 403 : 401;
      expect(await app.call('POST /keys', caller.text, NEW_KEY)).toMatchObject({ status });
      expect(await app.call('GET /keys', caller.text)).toMatchObject({ status });
      expect(store.writes).toBe(0);
    }
  });

  it('90 the keys that a manager made live on when its own is revoked', async () => {
    const caller = await app.issue({ scopes: MANAGER_SCOPES });
    const made = keyIn(await app.call('POST /keys', caller.text, NEW_KEY));
    await app.service.forTenant('acme').revoke(caller.record.id);
    expect(await app.call('GET /data', made.key)).toMatchObject({ status: 200 });
  });

  it('84, 38 an answer of a store that fails is 503 for managers too, and says nothing of it', async () => {
    const broken = new CountingStore(new InMemoryApiKeyStore());
    await using other = await startAccountApp(way, broken);
    const held = await other.issue({ scopes: MANAGER_SCOPES });
    await other.call('GET /keys', held.text);
    const fail = (): Promise<never> => Promise.reject(new Error('connect to db.internal:5432 with password hunter2'));
    const failing: Partial<ManagedApiKeyStore> = {
      insert: fail,
      findById: fail,
      list: fail,
      revoke: fail,
      update: fail,
      rotate: fail,
    };
    Object.assign(broken, failing);
    for (const [line, body] of [
      ['POST /keys', NEW_KEY],
      ['GET /keys', undefined],
      ...VERBS.map(([, verbLine, verbBody]) => [verbLine(held.record.id), verbBody] as const),
    ] as const) {
      const answer = await other.call(line, held.text, body);
      expect(answer).toMatchObject(refusal(503, 'key_store_unavailable'));
      expect(JSON.stringify(answer)).not.toMatch(/hunter2|internal/);
    }
  });
});
