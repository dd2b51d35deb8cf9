import { afterAll, beforeAll, beforeEach, describe, expect, it, jest } from '@jest/globals';
import type { KeyPage } from '../../src/api-key/api-key.store.js';
import type { ApiKeyRecord } from '../../src/api-key/api-key-record.js';
import {
  keyIn,
  MANAGER_SCOPES,
  refusal,
  startAccountApp,
  type AccountApp,
  type HeldKey,
} from './support/account-app.js';
import { storesForThisFile } from './support/stores.js';
import { WAYS } from './support/ways.js';

jest.setTimeout(30_000);

const HOUR = 3_600_000;
const DAY = 24 * HOUR;
const METADATA = {
  plan: 'gold',
  nested: { list: [1, null, 'x'], '': 0 },
  text: 'Gr\u00fc\u00dfe \u{1f511} "\'; --\\',
  __proto: true,
};

const stores = await storesForThisFile();
const IN_EACH = stores.flatMap((store) => WAYS.map((way) => ({ name: `${store.name} on ${way.name}`, store, way })));

describe.each(IN_EACH)('with $name', ({ store: { open }, way }) => {
  let app: AccountApp;
  let manager: HeldKey;

  beforeAll(async () => {
    app = await startAccountApp(way, (await open()).store);
    manager = await app.issue({ scopes: MANAGER_SCOPES });
  });
  beforeEach(() => {
    app.runs.length = 0;
  });
  afterAll(() => app.close());

  const manage = (line: string, body?: object) => app.call(line, manager.text, body);
  const make = async (fields: object = {}) =>
    keyIn(await manage('POST /keys', { name: 'a key', scopes: ['data:read'], ...fields }));
  const statusOf = async (...keys: readonly string[]) => {
    const statuses: number[] = [];
    for (const key of keys) statuses.push((await app.call('GET /data', key)).status);
    return statuses;
  };

  it('47, 48, 50 a whole life: issue, call, rotate, call both, revoke, call, and nothing brings it back', async () => {
    const first = await make();
    expect(await app.call('GET /data', first.key)).toMatchObject({ status: 200, body: { tenant: 'acme' } });

    const second = keyIn(await manage(`POST /keys/${first.record.id}/rotate`, { overlap: '1h' }));
    expect(second.key).not.toBe(first.key);
    expect(await statusOf(first.key, second.key)).toEqual([200, 200]);
    expect(await manage(`POST /keys/${first.record.id}/rotate`, {})).toMatchObject(refusal(409, 'key_conflict'));
    app.clock.advance(HOUR - 1);
    expect(await statusOf(first.key, second.key)).toEqual([200, 200]);
    app.clock.advance(1);
    expect(await statusOf(first.key, second.key)).toEqual([401, 200]);

    const revoked = await manage(`DELETE /keys/${second.record.id}`);
    expect(revoked).toMatchObject({ status: 200, body: { revokedAt: app.clock.in(0).toISOString() } });
    expect(await statusOf(first.key, second.key)).toEqual([401, 401]);
    for (const { record } of [first, second]) {
      for (const [line, body] of [
        [`POST /keys/${record.id}/rotate`, {}],
        [`PATCH /keys/${record.id}`, { expiresAt: app.clock.in(DAY).toISOString() }],
        [`PATCH /keys/${record.id}`, { name: 'alive again' }],
      ] as const) {
        expect(await manage(line, body)).toMatchObject(refusal(409, 'key_conflict'));
      }
    }
    app.clock.advance(1_000);
    expect((await manage(`DELETE /keys/${second.record.id}`)).body).toEqual(revoked.body);
    expect(await statusOf(first.key, second.key)).toEqual([401, 401]);
  });

  it('48 the new key is what the old one was: tenant, scopes, addresses, paths, end, metadata, environment', async () => {
    const { record } = await make({
      scopes: ['data:read', 'files:read'],
      allowedIps: ['127.0.0.0/8'],
      paths: ['reports/**', 'one.txt'],
      expiresAt: app.clock.in(30 * DAY).toISOString(),
      metadata: METADATA,
    });
    const next = keyIn(await manage(`POST /keys/${record.id}/rotate`, {}));
    const { id, locator, createdAt } = next.record;
    expect(next.record).toEqual({ ...record, id, locator, createdAt });
    expect([id, locator]).not.toContain(record.id);
    const { body } = await manage(`GET /keys/${record.id}`);
    expect(body).toMatchObject({ rotatedTo: id, graceEndsAt: app.clock.in(DAY).toISOString(), version: 2 });
    expect(await app.call('GET /whoami', next.key)).toMatchObject({
      body: {
        principal: {
          keyId: id,
          scopes: ['data:read', 'files:read'],
          paths: ['reports/**', 'one.txt'],
          metadata: METADATA,
        },
      },
    });
  });

  it('48 a key that leaked ends at once, and an overlap never makes a key live longer', async () => {
    const leaked = await make();
    expect(await statusOf(leaked.key)).toEqual([200]);
    const replacing = keyIn(await manage(`POST /keys/${leaked.record.id}/rotate`, { immediate: true }));
    expect(await statusOf(leaked.key, replacing.key)).toEqual([401, 200]);
    const zero = await make();
    const afterZero = keyIn(await manage(`POST /keys/${zero.record.id}/rotate`, { overlap: 0 }));
    expect(await statusOf(zero.key, afterZero.key)).toEqual([401, 200]);

    const ending = await make({ expiresAt: app.clock.in(HOUR).toISOString() });
    const successor = keyIn(await manage(`POST /keys/${ending.record.id}/rotate`, { overlap: '7d' }));
    expect(successor.record.expiresAt).toBe(ending.record.expiresAt);
    app.clock.advance(HOUR - 1);
    expect(await statusOf(ending.key, successor.key)).toEqual([200, 200]);
    app.clock.advance(1);
    expect(await statusOf(ending.key, successor.key)).toEqual([401, 401]);
  });

  it('50 what is missing, revoked, replaced or over cannot be replaced, and no key comes of it', async () => {
    const [revoked, over, replaced] = [
      await make(),
      await make({ expiresAt: app.clock.in(1_000).toISOString() }),
      await make(),
    ];
    await manage(`DELETE /keys/${revoked.record.id}`);
    await manage(`POST /keys/${replaced.record.id}/rotate`, {});
    app.clock.advance(1_000);
    const before = await manage('GET /keys?all=true&limit=200');
    for (const { record } of [revoked, over, replaced]) {
      expect(await manage(`POST /keys/${record.id}/rotate`, {})).toMatchObject(refusal(409, 'key_conflict'));
    }
    for (const id of ['key_none', 'key_000000000000000000000000', '__proto__', "' or 1=1 --", '%00', 'a'.repeat(90)]) {
      const line = `POST /keys/${encodeURIComponent(id)}/rotate`;
      expect(await manage(line, {})).toMatchObject(refusal(404, 'key_not_found'));
    }
    expect((await manage('GET /keys?all=true&limit=200')).body).toEqual(before.body);
  });

  it('50 of several that replace one key at the same time exactly one does', async () => {
    const { record } = await make();
    const answers = await Promise.all(
      Array.from({ length: 5 }, () => manage(`POST /keys/${record.id}/rotate`, { overlap: '1h' })),
    );
    expect(answers.map(({ status }) => status).sort()).toEqual([201, 409, 409, 409, 409]);
    const winner = answers.find(({ status }) => status === 201);
    expect((await manage(`GET /keys/${record.id}`)).body).toMatchObject({
      rotatedTo: winner && keyIn(winner).record.id,
    });
  });

  it('47 a key that is changed and revoked at the same time is revoked', async () => {
    const { record, key } = await make();
    expect(await statusOf(key)).toEqual([200]);
    const answers = await Promise.all([
      manage(`PATCH /keys/${record.id}`, { name: 'changed' }),
      manage(`DELETE /keys/${record.id}`),
      manage(`PATCH /keys/${record.id}`, { metadata: { changed: true } }),
    ]);
    expect(answers[1].status).toBe(200);
    for (const { status } of answers) expect([200, 409]).toContain(status);
    expect(await statusOf(key)).toEqual([401]);
    expect((await manage(`GET /keys/${record.id}`)).body).toHaveProperty('revokedAt');
  });

  it('9 name and metadata come back as they were given, from the store and in the principal', async () => {
    const name = 'Gr\u00fc\u00dfe an \u{1f511} "quotes" \\ \'; drop table keys; --';
    const { record, key } = await make({ name, metadata: METADATA });
    expect((await manage(`GET /keys/${record.id}`)).body).toMatchObject({ name, metadata: METADATA });
    expect(await app.call('GET /whoami', key)).toMatchObject({ body: { principal: { metadata: METADATA } } });
    // Null takes it away, and what is left out stays.
    const changed = await manage(`PATCH /keys/${record.id}`, { metadata: null });
    expect(changed.body).toMatchObject({ name, version: 2 });
    expect(changed.body).not.toHaveProperty('metadata');
    expect((await app.call('GET /whoami', key)).text).not.toContain('gold');
  });

  it('57 a key that starts later is denied until then, also if the start is put off', async () => {
    const { record, key } = await make({ notBefore: app.clock.in(HOUR).toISOString() });
    expect(await statusOf(key)).toEqual([401]);
    await manage(`PATCH /keys/${record.id}`, { notBefore: app.clock.in(2 * HOUR).toISOString() });
    app.clock.advance(HOUR);
    expect(await statusOf(key)).toEqual([401]);
    await manage(`PATCH /keys/${record.id}`, { notBefore: null });
    expect(await statusOf(key)).toEqual([200]);
  });

  it('56 a list has the living keys of the tenant, oldest first, in pages; the revoked ones only if asked', async () => {
    const lister = await app.issue({ scopes: MANAGER_SCOPES }, 'globex');
    const list = async (query = ''): Promise<KeyPage> =>
      (await app.call(`GET /keys${query}`, lister.text)).body as KeyPage;
    const made: HeldKey[] = [lister];
    for (let count = 0; count < 6; count += 1) {
      app.clock.advance(1);
      made.push(await app.issue({ name: `key ${count}` }, 'globex'));
    }
    const ids = made.map(({ record }) => record.id);
    expect((await list()).items.map(idOf)).toEqual(ids);

    const seen: string[] = [];
    const sizes: number[] = [];
    let cursor: string | undefined;
    do {
      const page = await list(`?limit=3${cursor === undefined ? '' : `&cursor=${encodeURIComponent(cursor)}`}`);
      seen.push(...page.items.map(idOf));
      sizes.push(page.items.length);
      cursor = page.next;
    } while (cursor !== undefined);
    expect(seen).toEqual(ids);
    expect(sizes).toEqual([3, 3, 1]);

    await app.service.forTenant('globex').revoke(ids[2] ?? '');
    expect((await list()).items.map(idOf)).toEqual(ids.filter((id) => id !== ids[2]));
    expect((await list('?all=true')).items.map(idOf)).toEqual(ids);
    await expect(app.service.forTenant('initech').list()).resolves.toEqual({ items: [] });
  });

  it('54, 55 a clean-up takes keys that have been dead for so long, and no living one', async () => {
    const living = await make();
    const [revoked, over, replaced] = [
      await make(),
      await make({ expiresAt: app.clock.in(DAY).toISOString() }),
      await make(),
    ];
    await manage(`DELETE /keys/${revoked.record.id}`);
    const successor = keyIn(await manage(`POST /keys/${replaced.record.id}/rotate`, {}));
    app.clock.advance(32 * DAY);
    const lately = await make();
    await manage(`DELETE /keys/${lately.record.id}`);

    expect(await app.service.prune({ deadFor: '30d' })).toBeGreaterThanOrEqual(3);
    for (const { record, key } of [revoked, over, replaced]) {
      expect(await manage(`GET /keys/${record.id}`)).toMatchObject(refusal(404, 'key_not_found'));
      expect(await statusOf(key)).toEqual([401]);
    }
    expect(await statusOf(living.key, successor.key, lately.key)).toEqual([200, 200, 401]);
    expect(await manage(`GET /keys/${lately.record.id}`)).toMatchObject({ status: 200 });
    await expect(app.service.prune({ deadFor: '30d' })).resolves.toBe(0);
  });
});

function idOf({ id }: ApiKeyRecord): string {
  return id;
}
