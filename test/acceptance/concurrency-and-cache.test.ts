import { describe, expect, it, jest } from '@jest/globals';
import type { ManagedApiKeyStore } from '../../src/api-key/api-key.store.js';
import { InMemoryApiKeyStore } from '../../src/api-key/in-memory-api-key.store.js';
import { InProcessInvalidationBus } from '../../src/api-key/key-invalidation-bus.js';
import type { TenantId } from '../../src/principal/tenant-id.js';
import { CountingStore } from '../support/counting-store.js';
import { TestClock } from '../support/test-clock.js';
import { refusal, startAccountApp, type AccountApp } from './support/account-app.js';
import { storesForThisFile } from './support/stores.js';
import { TWO_WAYS, WAYS } from './support/ways.js';

jest.setTimeout(30_000);

const ACME = 'acme' as TenantId;
const TTL = 30_000;

const stores = await storesForThisFile();
const IN_EACH = stores.flatMap((store) =>
  TWO_WAYS.map((way) => ({ name: `${store.name} on ${way.name}`, store, way })),
);

/** Answers look-ups only when the test says so, with what was there when they came. */
class GatedStore extends CountingStore {
  readonly #waiting: (() => void)[] = [];
  held = false;

  override async findByLocator(locator: string): ReturnType<CountingStore['findByLocator']> {
    const found = await super.findByLocator(locator);
    if (this.held) await new Promise<void>((resolve) => this.#waiting.push(resolve));
    return found;
  }

  release(): void {
    this.held = false;
    for (const resolve of this.#waiting.splice(0)) resolve();
  }
}

/** Lets every request that was sent arrive: they wait for the store then. */
async function until(holds: () => boolean): Promise<void> {
  for (let deadline = Date.now() + 10_000; !holds();) {
    if (Date.now() > deadline) throw new Error('It did not come to pass within 10 seconds.');
    await new Promise((resolve) => setImmediate(resolve));
  }
}

describe.each(WAYS)('on $name', (way) => {
  it('37 many requests with one key that is not cached ask the store once, and get an answer each', async () => {
    const store = new GatedStore(new InMemoryApiKeyStore());
    await using app = await startAccountApp(way, store);
    const { text } = await app.issue();
    store.reset();
    store.held = true;
    const requests = Array.from({ length: 40 }, () => app.call('GET /data', text));
    await until(() => store.lookUps > 0);
    store.release();
    const answers = await Promise.all(requests);
    expect(answers.map(({ status }) => status)).toEqual(Array.from({ length: 40 }, () => 200));
    expect(store.calls).toEqual(['findByLocator']);
    // Control: what is not remembered is asked for again.
    app.clock.advance(TTL + 1);
    await app.call('GET /data', text);
    expect(store.lookUps).toBe(2);
  });

  it.each<[string, (app: AccountApp, id: string) => Promise<unknown>, number]>([
    ['revoked', (app, id) => app.service.forTenant('acme').revoke(id), 401],
    ['replaced', (app, id) => app.service.forTenant('acme').rotate(id, { immediate: true }), 401],
    ['narrowed', (app, id) => app.service.forTenant('acme').update(id, { scopes: ['other:read'] }), 403],
  ])('39 a look-up that is under way while the key is %s brings nothing back', async (_how, change, status) => {
    const store = new GatedStore(new InMemoryApiKeyStore());
    await using app = await startAccountApp(way, store);
    const { record, text } = await app.issue();
    store.held = true;
    const early = app.call('GET /data', text);
    await until(() => store.lookUps > 0);
    await change(app, record.id);
    store.release();
    // It came before the change, and may be answered as before.
    expect([200, status]).toContain((await early).status);
    expect(await app.call('GET /data', text)).toMatchObject({ status });
    const changed = await store.findById(ACME, record.id);
    await app.close();
    expect(await store.findById(ACME, record.id)).toEqual({ ...changed, lastUsedAt: expect.any(Date) as unknown });
  });

  it('45, 46 a request writes nothing, counts once, and does not care that the writing of uses fails', async () => {
    const store = new CountingStore(new InMemoryApiKeyStore());
    const failing = jest.fn(() => Promise.reject(new Error('disk full')));
    await using app = await startAccountApp(way, store);
    const { text } = await app.issue();
    store.reset();
    Object.assign(store, { recordUses: failing });
    for (let count = 0; count < 3; count += 1) expect(await app.call('GET /data', text)).toMatchObject({ status: 200 });
    expect(store.calls).toEqual(['findByLocator']);
    await app.close();
    // It is tried when the application ends, for the one key once.
    const batches = failing.mock.calls as unknown as readonly (readonly [readonly object[]])[];
    expect(batches.length).toBeGreaterThan(0);
    for (const [uses] of batches) expect(uses).toHaveLength(1);
    expect(app.events).toContainEqual(expect.objectContaining({ type: 'deferred_write_failed' }));
  });

  it('76 whoever is denied has not used the key', async () => {
    const store = new CountingStore(new InMemoryApiKeyStore());
    await using app = await startAccountApp(way, store);
    const elsewhere = await app.issue({ allowedIps: ['203.0.113.7'] });
    const later = await app.issue({ notBefore: app.clock.in(1_000) });
    const used = await app.issue();
    for (const { text } of [elsewhere, later]) expect(await app.call('GET /data', text)).toMatchObject({ status: 401 });
    await app.call('GET /data', used.text);
    await app.close();
    const usedAt = async (id: string) => (await store.findById(ACME, id))?.lastUsedAt;
    expect(await usedAt(elsewhere.record.id)).toBeUndefined();
    expect(await usedAt(later.record.id)).toBeUndefined();
    expect(await usedAt(used.record.id)).toEqual(app.clock.in(0));
  });
});

describe.each(IN_EACH)('with $name', ({ store: { open }, way }) => {
  it('45 the first use of a key is written when the application ends, and the last one of many', async () => {
    const opened = await open();
    await using app = await startAccountApp(way, opened.store);
    const [once, often, never] = [await app.issue(), await app.issue(), await app.issue()];
    await app.call('GET /data', once.text);
    const first = app.clock.in(0);
    await app.call('GET /data', often.text);
    app.clock.advance(5_000);
    await app.call('GET /data', often.text);
    await app.close();
    const stored = await opened.another();
    expect(await stored.findById(ACME, once.record.id)).toMatchObject({ lastUsedAt: first, version: 1 });
    expect(await stored.findById(ACME, often.record.id)).toMatchObject({ lastUsedAt: app.clock.in(0), version: 1 });
    expect((await stored.findById(ACME, never.record.id))?.lastUsedAt).toBeUndefined();
  });

  it('39 writing that a key was used restores nothing of what was changed since', async () => {
    const opened = await open();
    await using app = await startAccountApp(way, opened.store);
    const other = await opened.another();
    const [revoked, replaced, changed] = [await app.issue(), await app.issue(), await app.issue()];
    for (const { text } of [revoked, replaced, changed])
      expect(await app.call('GET /data', text)).toMatchObject({ status: 200 });
    // By another process, of which the first one hears nothing.
    await using elsewhere = await startAccountApp(way, other, {}, { clock: app.clock });
    const keys = elsewhere.service.forTenant('acme');
    await keys.revoke(revoked.record.id);
    await keys.rotate(replaced.record.id, { immediate: true });
    await keys.update(changed.record.id, { name: 'changed', scopes: ['other:read'] });
    const before = await recordsOf(other);
    await app.close();
    const after = await recordsOf(other);
    expect(after).toEqual(
      before.map((record) =>
        [revoked, replaced, changed].some((held) => held.record.id === record.id)
          ? { ...record, lastUsedAt: app.clock.in(0) }
          : record,
      ),
    );
    expect(after.find(({ id }) => id === revoked.record.id)?.revokedAt).toBeInstanceOf(Date);
  });

  it('40 a key that application A ends is denied by B at once over the bus, and without it within the ttl and no later', async () => {
    const opened = await open();
    const clock = new TestClock();
    const bus = new InProcessInvalidationBus();
    const [first = way, second = way] = TWO_WAYS;
    await using a = await startAccountApp(first, opened.store, { cache: { bus } }, { clock });
    await using b = await startAccountApp(second, await opened.another(), { cache: { bus } }, { clock });
    await using deaf = await startAccountApp(second, await opened.another(), {}, { clock });
    const keys = a.service.forTenant('acme');
    const apps = [a, b, deaf];
    const statuses = async (text: string) => {
      const found: number[] = [];
      for (const app of apps) found.push((await app.call('GET /data', text)).status);
      return found;
    };
    const changes: readonly (readonly [(id: string) => Promise<unknown>, number])[] = [
      [(id) => keys.revoke(id), 401],
      [(id) => keys.rotate(id, { immediate: true }), 401],
      [(id) => keys.update(id, { scopes: ['other:read'] }), 403],
      [(id) => keys.update(id, { allowedIps: ['203.0.113.7'] }), 401],
    ];
    for (const [change, status] of changes) {
      const { record, text } = await a.issue();
      expect(await statuses(text)).toEqual([200, 200, 200]);
      await change(record.id);
      expect(await statuses(text)).toEqual([status, status, 200]);
      clock.advance(TTL);
      expect(await statuses(text)).toEqual([status, status, 200]);
      clock.advance(1);
      expect(await statuses(text)).toEqual([status, status, status]);
    }
  });

  it('40 the key that replaces another on A is good on B at once, and ends there when A ends it', async () => {
    const opened = await open();
    const bus = new InProcessInvalidationBus();
    await using a = await startAccountApp(way, opened.store, { cache: { bus } });
    await using b = await startAccountApp(way, await opened.another(), { cache: { bus } }, { clock: a.clock });
    const { record, text } = await a.issue();
    const next = await a.service.forTenant('acme').rotate(record.id);
    expect(await b.call('GET /data', next.secret.reveal())).toMatchObject({ status: 200 });
    expect(await b.call('GET /data', text)).toMatchObject({ status: 200 });
    await a.service.forTenant('acme').revoke(next.record.id);
    expect(await b.call('GET /data', next.secret.reveal())).toMatchObject(refusal(401, 'invalid_api_key'));
  });
});

async function recordsOf(store: ManagedApiKeyStore) {
  return (await store.list(ACME, { limit: 200, includeRevoked: true })).items;
}
