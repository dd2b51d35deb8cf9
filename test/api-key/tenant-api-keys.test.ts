import { describe, expect, it } from '@jest/globals';
import type { ApiKeyOptions } from '../../src/api-key/api-key-options.js';
import type { ApiKeyRecord } from '../../src/api-key/api-key-record.js';
import { InMemoryApiKeyStore } from '../../src/api-key/in-memory-api-key.store.js';
import type { ApiKeyChanges } from '../../src/api-key/new-api-key.js';
import type { TenantApiKeys } from '../../src/api-key/tenant-api-keys.js';
import type { Principal } from '../../src/principal/principal.js';
import { CountingStore } from '../support/counting-store.js';
import { CACHE_DEFAULTS, KeyServices } from '../support/key-services.js';

const HOUR = 3_600_000;
const DAY = 24 * HOUR;
const KEY = { name: 'ci', scopes: ['files:read'] };

interface Setup extends Pick<KeyServices, 'clock' | 'present' | 'service' | 'recorded'> {
  readonly memory: InMemoryApiKeyStore;
  readonly store: CountingStore;
  readonly keys: TenantApiKeys;
  /** The record as the store has it. */
  readonly stored: (id: string) => Promise<ApiKeyRecord | undefined>;
  readonly grantedBy: (limits: Partial<Record<keyof Principal, unknown>>) => TenantApiKeys;
}

function setup(options: Partial<ApiKeyOptions> = { cache: CACHE_DEFAULTS }): Setup {
  const memory = new InMemoryApiKeyStore();
  const store = new CountingStore(memory);
  const { clock, present, service, recorded } = new KeyServices(store, options).recordEvents();
  const keys = service.forTenant('acme');
  return {
    clock,
    present,
    service,
    recorded,
    memory,
    store,
    keys,
    stored: async (id) => (await memory.findById(keys.tenantId, id)) ?? undefined,
    grantedBy: (limits) => {
      const grantor = { tenantId: 'acme', keyId: 'key_grantor', scopes: ['files:read'], ...limits };
      return service.forTenant('acme', { grantedBy: grantor as unknown as Principal });
    },
  };
}

async function refusalOf(attempt: Promise<unknown>): Promise<unknown> {
  const outcome = await attempt.then(
    () => 'done',
    (error: unknown) => error,
  );
  return (outcome as { errorCode?: unknown }).errorCode ?? outcome;
}

describe('rotate', () => {
  it('gives a new key that may do and reach the same, and lets the old one work until the overlap is over', async () => {
    const { keys, clock, present, stored } = setup();
    const limits = {
      allowedIps: undefined,
      paths: ['reports/**'],
      metadata: { plan: 'pro' },
      expiresAt: clock.in(30 * DAY),
    };
    const old = await keys.issue({ ...KEY, ...limits });
    const { record, secret } = await keys.rotate(old.record.id, { overlap: '1h' });
    const { name, scopes, paths, metadata, expiresAt, environment, lineageId } = old.record;
    expect(record).toMatchObject({ name, scopes, paths, metadata, expiresAt, environment, lineageId, version: 1 });
    expect([record.id, record.locator]).not.toEqual([old.record.id, old.record.locator]);
    expect(await stored(old.record.id)).toMatchObject({
      rotatedTo: record.id,
      graceEndsAt: clock.in(HOUR),
      version: 2,
    });

    clock.advance(HOUR - 1);
    expect(await present(old.secret.reveal())).toMatchObject({ status: 'authenticated' });
    clock.advance(1);
    expect(await present(old.secret.reveal())).toMatchObject({ status: 'invalid', reason: 'rotated' });
    expect(await present(secret.reveal())).toMatchObject({ principal: { keyId: record.id, paths: ['reports/**'] } });
  });

  it('keeps the lineage over many replacements', async () => {
    const { keys } = setup();
    let { record } = await keys.issue(KEY);
    const lineage = record.lineageId;
    for (let count = 0; count < 5; count += 1) ({ record } = await keys.rotate(record.id));
    expect(record.lineageId).toBe(lineage);
  });

  it('gives the old key a day, unless told otherwise', async () => {
    const { keys, clock, stored } = setup();
    const { record } = await keys.issue(KEY);
    await keys.rotate(record.id);
    expect(await stored(record.id)).toMatchObject({ graceEndsAt: clock.in(DAY) });
  });

  it('ends the old key at once if it leaked, also where it is cached', async () => {
    const { keys, present } = setup();
    const old = await keys.issue(KEY);
    expect(await present(old.secret.reveal())).toMatchObject({ status: 'authenticated' });
    const { secret } = await keys.rotate(old.record.id, { immediate: true });
    expect(await present(old.secret.reveal())).toMatchObject({ reason: 'rotated' });
    expect(await present(secret.reveal())).toMatchObject({ status: 'authenticated' });
  });

  it('ends it also where a clock is slow', async () => {
    const { keys, clock, present } = setup();
    const old = await keys.issue(KEY);
    await keys.rotate(old.record.id, { immediate: true });
    clock.shift(-HOUR);
    expect(await present(old.secret.reveal())).toMatchObject({ reason: 'rotated' });
  });

  it('never lets a key live longer than it was to', async () => {
    const { keys, clock, stored, present } = setup();
    const expiresAt = clock.in(HOUR);
    const old = await keys.issue({ ...KEY, expiresAt });
    const { record, secret } = await keys.rotate(old.record.id, { overlap: '90d' });
    expect(record.expiresAt).toEqual(expiresAt);
    expect(await stored(old.record.id)).toMatchObject({ graceEndsAt: expiresAt });
    clock.advance(HOUR);
    expect(await present(old.secret.reveal())).toMatchObject({ status: 'invalid' });
    expect(await present(secret.reveal())).toMatchObject({ reason: 'expired' });
  });

  it('succeeds exactly once, and the losers leave nothing behind', async () => {
    const { keys } = setup();
    const { record } = await keys.issue(KEY);
    const attempts = await Promise.all(Array.from({ length: 20 }, () => refusalOf(keys.rotate(record.id))));
    expect(attempts.filter((code) => code !== 'key_conflict')).toEqual(['done']);
    expect((await keys.list()).items).toHaveLength(2);
  });

  it.each<[string, (made: Setup, id: string) => unknown]>([
    ['was revoked', ({ keys }, id) => keys.revoke(id)],
    ['was rotated', ({ keys }, id) => keys.rotate(id)],
    [
      'has expired',
      ({ clock }) => {
        clock.advance(DAY);
      },
    ],
  ])('is refused for a key that %s', async (_what, end) => {
    const made = setup();
    const { record } = await made.keys.issue({ ...KEY, expiresAt: made.clock.in(DAY) });
    await end(made, record.id);
    const before = (await made.keys.list({ includeRevoked: true })).items.length;
    expect(await refusalOf(made.keys.rotate(record.id))).toBe('key_conflict');
    expect((await made.keys.list({ includeRevoked: true })).items).toHaveLength(before);
  });

  it.each([['1 day'], [-1], [Number.NaN]])('refuses an overlap of %p', async (overlap) => {
    const { keys, stored } = setup();
    const { record } = await keys.issue(KEY);
    expect(await refusalOf(keys.rotate(record.id, { overlap }))).toMatchObject({ name: 'KeyfenceConfigurationError' });
    expect(await stored(record.id)).toMatchObject({ version: 1 });
  });

  it('keeps the environment of the key, whichever application asks', async () => {
    const memory = new InMemoryApiKeyStore();
    const test = new KeyServices(memory, { format: { prefix: 'kf', environment: 'test' } });
    const { record } = await test.service.forTenant('acme').issue(KEY);
    const live = new KeyServices(memory);
    const rotated = await live.service.forTenant('acme').rotate(record.id);
    expect(rotated.record.environment).toBe('test');
    expect(rotated.secret.reveal()).toMatch(/^kftest_/);
    expect(await live.present(rotated.secret.reveal())).toMatchObject({ reason: 'wrong_environment' });
  });

  it('turns a key that the team had already into one of ours', async () => {
    const text = 'a-key-that-the-team-had-already';
    const store = InMemoryApiKeyStore.fromKeys({ [text]: { tenantId: 'acme', scopes: ['files:read'] } });
    const { service, present } = new KeyServices(store);
    const [record] = (await service.forTenant('acme').list()).items;
    const { secret } = await service.forTenant('acme').rotate(record?.id ?? '', { immediate: true });
    expect(await present(text)).toMatchObject({ reason: 'rotated' });
    expect(await present(secret.reveal())).toMatchObject({ status: 'authenticated' });
  });
});

describe('update', () => {
  it.each<[string, ApiKeyChanges, Partial<Record<keyof ApiKeyRecord, unknown>>]>([
    ['the name', { name: 'deploy' }, { name: 'deploy' }],
    ['scopes', { scopes: ['files:*'] }, { scopes: ['files:*'] }],
    ['paths', { paths: ['reports/**'] }, { paths: ['reports/**'] }],
    ['addresses', { allowedIps: ['203.0.113.0/24'] }, { allowedIps: ['203.0.113.0/24'] }],
    ['the end', { expiresAt: new Date('2027-01-01') }, { expiresAt: new Date('2027-01-01') }],
    ['the begin', { notBefore: new Date('2026-07-01') }, { notBefore: new Date('2026-07-01') }],
    ['metadata', { metadata: { plan: 'free' } }, { metadata: { plan: 'free' } }],
    ['nothing', {}, {}],
  ])('changes %s and nothing else', async (_what, changes, expected) => {
    const { keys, stored } = setup();
    const { record } = await keys.issue(KEY);
    const before = await stored(record.id);
    expect(await keys.update(record.id, changes)).toMatchObject({ ...expected, version: 2 });
    expect(await stored(record.id)).toEqual({ ...before, ...expected, version: 2 });
  });

  it.each(['paths', 'allowedIps', 'expiresAt', 'notBefore', 'metadata'] as const)(
    'takes %s away by null',
    async (field) => {
      const { keys, clock, stored } = setup();
      const limits = {
        paths: ['a/**'],
        allowedIps: ['203.0.113.7'],
        metadata: { plan: 'pro' },
        notBefore: clock.in(1),
        expiresAt: clock.in(2),
      };
      const { record } = await keys.issue({ ...KEY, ...limits });
      expect((await stored(record.id))?.[field]).toBeDefined();
      await keys.update(record.id, { [field]: null });
      expect((await stored(record.id))?.[field]).toBeUndefined();
    },
  );

  it('counts at once, also where the key is cached', async () => {
    const { keys, present } = setup();
    const { record, secret } = await keys.issue(KEY);
    expect(await present(secret.reveal())).toMatchObject({ principal: { scopes: ['files:read'] } });
    await keys.update(record.id, { scopes: ['files:write'] });
    expect(await present(secret.reveal())).toMatchObject({ principal: { scopes: ['files:write'] } });
  });

  it.each<[string, Record<string, unknown>]>([
    ['a field that is not for people', { tenantId: 'globex' }],
    ['its own revocation', { revokedAt: null }],
    ['a digest', { digest: 'a'.repeat(64) }],
    ['a field without a value', { expiresAt: undefined }],
    ['no name', { name: null }],
    ['no scopes', { scopes: [] }],
    ['a scope that is none', { scopes: ['*'] }],
    ['a path that leads out', { paths: ['../**'] }],
    ['an end before its begin', { notBefore: new Date(2), expiresAt: new Date(1) }],
  ])('refuses %s', async (_what, changes) => {
    const { keys, stored } = setup();
    const { record } = await keys.issue(KEY);
    expect(await refusalOf(keys.update(record.id, changes))).toMatchObject({ name: 'KeyfenceConfigurationError' });
    expect(await stored(record.id)).toMatchObject({ version: 1 });
  });

  it.each<[string, (keys: TenantApiKeys, id: string) => Promise<unknown>]>([
    ['revoked', (keys, id) => keys.revoke(id)],
    ['rotated', (keys, id) => keys.rotate(id)],
  ])('is refused for a key that was %s', async (_what, end) => {
    const { keys, stored } = setup();
    const { record } = await keys.issue(KEY);
    await end(keys, record.id);
    const before = await stored(record.id);
    expect(await refusalOf(keys.update(record.id, { scopes: ['files:*'] }))).toBe('key_conflict');
    expect(await stored(record.id)).toEqual(before);
  });

  it('loses against a revocation that came between', async () => {
    const { keys, memory, stored, clock } = setup();
    const { record } = await keys.issue(KEY);
    const update = keys.update(record.id, { name: 'late' });
    await memory.revoke(keys.tenantId, record.id, clock.in(0));
    expect(await refusalOf(update)).toBe('key_conflict');
    expect(await stored(record.id)).toMatchObject({ name: 'ci', revokedAt: clock.in(0) });
  });
});

describe('the key of another tenant', () => {
  it.each<[string, (keys: TenantApiKeys, id: string) => Promise<unknown>]>([
    ['get', (keys, id) => keys.get(id)],
    ['update', (keys, id) => keys.update(id, { name: 'taken over' })],
    ['rotate', (keys, id) => keys.rotate(id)],
    ['revoke', (keys, id) => keys.revoke(id)],
  ])('is none: %s', async (_verb, act) => {
    const { service, memory, present } = setup();
    const others = service.forTenant('globex');
    const { record, secret } = await others.issue(KEY);
    const errors: unknown[] = [];
    for (const id of [record.id, 'key_000000000000000000000000']) {
      await act(service.forTenant('acme'), id).catch((error: unknown) => errors.push(error));
    }
    const bodies = errors.map((error) => (error as { getResponse(): unknown }).getResponse());
    expect(bodies).toEqual([expect.objectContaining({ errorCode: 'key_not_found' }), bodies[0]]);
    expect(await memory.findById(others.tenantId, record.id)).toMatchObject({ version: 1, name: 'ci' });
    expect(await present(secret.reveal())).toMatchObject({ status: 'authenticated' });
    await expect(act(others, record.id)).resolves.toBeDefined();
  });
});

describe('what can be no id', () => {
  it.each([[''], ['key_\u0000'], ['key 1'], ['k'.repeat(129)], ['\u00e9'], [undefined], [['key_1']], [{ $ne: '' }]])(
    '%p is none, without asking the store',
    async (id) => {
      const { keys, store } = setup();
      const { record } = await keys.issue(KEY);
      store.reset();
      for (const verb of ['get', 'revoke', 'rotate'] as const) {
        expect(await refusalOf(keys[verb](id as string))).toBe('key_not_found');
      }
      expect(await refusalOf(keys.update(id as string, {}))).toBe('key_not_found');
      expect(store.calls).toEqual([]);
      expect(await keys.get(record.id)).toMatchObject({ id: record.id });
    },
  );
});

describe('the ceiling of a grant', () => {
  const LIMITS: [string, Partial<Record<keyof Principal, unknown>>, object][] = [
    ['scopes', { scopes: ['files:read'] }, { scopes: ['files:write'] }],
    ['addresses', { allowedIps: ['203.0.113.0/24'] }, { allowedIps: ['203.0.113.0/23'] }],
    ['all addresses', { allowedIps: ['203.0.113.0/24'] }, {}],
    ['paths', { paths: ['reports/**'] }, { paths: ['reports/**', 'invoices/**'] }],
    ['all paths', { paths: ['reports/**'] }, {}],
    ['a longer life', { expiresAt: new Date('2027-01-01') }, { expiresAt: new Date('2027-01-02') }],
  ];

  it.each(LIMITS)('keeps a principal from a key with more: %s', async (_what, limits, wide) => {
    const { keys, grantedBy, stored } = setup();
    const { record } = await keys.issue({ ...KEY, ...wide });
    for (const attempt of [
      grantedBy(limits).rotate(record.id),
      grantedBy(limits).update(record.id, { name: 'mine' }),
      grantedBy(limits).revoke(record.id),
    ]) {
      expect(await refusalOf(attempt)).toBe('grant_exceeded');
    }
    expect(await stored(record.id)).toMatchObject({ version: 1 });
    await keys.rotate(record.id);
  });

  it('lets it change, replace and end a key that holds no more', async () => {
    const { keys, grantedBy } = setup();
    const limits = { paths: ['reports/**'], allowedIps: ['203.0.113.0/24'], expiresAt: new Date('2027-01-01') };
    const { record } = await keys.issue({ ...KEY, ...limits, paths: ['reports/2026/**'], allowedIps: ['203.0.113.7'] });
    const granted = grantedBy(limits);
    await granted.update(record.id, { name: 'mine' });
    const rotated = await granted.rotate(record.id);
    expect(await granted.revoke(rotated.record.id)).toMatchObject({ revokedAt: expect.any(Date) });
  });

  it('keeps an update within it', async () => {
    const { keys, grantedBy, stored } = setup();
    const { record } = await keys.issue({ ...KEY, paths: ['reports/a'] });
    const granted = grantedBy({ paths: ['reports/**'] });
    expect(await refusalOf(granted.update(record.id, { scopes: ['files:*'] }))).toBe('grant_exceeded');
    expect(await refusalOf(granted.update(record.id, { paths: ['**'] }))).toMatchObject({
      name: 'KeyfenceConfigurationError',
    });
    expect(await refusalOf(granted.update(record.id, { paths: ['invoices/**'] }))).toBe('grant_exceeded');
    expect(await stored(record.id)).toMatchObject({ version: 1 });
    // What is taken away is the grantor's own limit then.
    expect(await granted.update(record.id, { paths: null })).toMatchObject({ paths: ['reports/**'] });
  });

  it('ends what a replaced key gives away with its grace', async () => {
    const { keys, service, clock, present } = setup();
    const old = await keys.issue(KEY);
    await keys.rotate(old.record.id, { overlap: '1h' });
    const found = await present(old.secret.reveal());
    if (found.status !== 'authenticated') throw new Error('The control failed: the key is not in its grace.');
    expect(found.principal.expiresAt).toEqual(clock.in(HOUR));
    const granted = service.forTenant('acme', { grantedBy: found.principal });
    expect(await refusalOf(granted.issue(KEY))).toBe('grant_exceeded');
    const { secret } = await granted.issue({ ...KEY, expiresAt: clock.in(HOUR) });
    expect(await present(secret.reveal())).toMatchObject({ status: 'authenticated' });
    clock.advance(HOUR);
    expect(await present(secret.reveal())).toMatchObject({ reason: 'expired' });
  });

  it('keeps a principal from the keys of another environment that share the store', async () => {
    const { keys, memory, stored } = setup();
    const { record } = await keys.issue(KEY);
    const test = new KeyServices(memory, { format: { prefix: 'kf', environment: 'test' } });
    const grantedBy = { tenantId: 'acme', keyId: 'key_test', scopes: ['files:read'] } as unknown as Principal;
    const granted = test.service.forTenant('acme', { grantedBy });
    for (const attempt of [granted.rotate(record.id), granted.update(record.id, {}), granted.revoke(record.id)]) {
      expect(await refusalOf(attempt)).toBe('grant_exceeded');
    }
    expect(await stored(record.id)).toMatchObject({ version: 1 });
  });

  it('is refused where its name is misspelt, which would act for the system', () => {
    const { service } = setup();
    expect(() => service.forTenant('acme', { grantedby: {} } as object)).toThrow('grantedby');
  });

  it('hands a new key the paths of its grantor where it names none', async () => {
    const { grantedBy } = setup();
    const granted = grantedBy({ paths: ['reports/**'] });
    expect(await granted.issue(KEY)).toMatchObject({ record: { paths: ['reports/**'] } });
    expect(await granted.issue({ ...KEY, paths: ['reports/a.txt'] })).toMatchObject({
      record: { paths: ['reports/a.txt'] },
    });
    expect(await refusalOf(granted.issue({ ...KEY, paths: ['other/**'] }))).toBe('grant_exceeded');
  });
});

describe('issue', () => {
  it('refuses an end that has passed', async () => {
    const { keys, clock, store } = setup();
    expect(await refusalOf(keys.issue({ ...KEY, expiresAt: clock.in(0) }))).toMatchObject({
      message: expect.stringContaining('expiresAt'),
    });
    expect(store.writes).toBe(0);
    await keys.issue({ ...KEY, expiresAt: clock.in(1) });
  });

  it('draws another id if one is taken, and gives up loudly', async () => {
    const { keys, memory } = setup();
    const taken = jestTimes(memory, 2);
    const { record } = await keys.issue(KEY);
    expect(taken.calls).toBe(3);
    expect(await keys.get(record.id)).toMatchObject({ name: 'ci' });
    jestTimes(memory, Infinity);
    expect(await refusalOf(keys.issue(KEY))).toBe('key_store_unavailable');
  });

  it('is known at once, also where somebody asked for it before', async () => {
    const { keys, memory, present } = setup();
    const other = new KeyServices(memory, { cache: CACHE_DEFAULTS });
    const { secret, record } = await other.service.forTenant('acme').issue(KEY);
    const stored = await memory.findById(keys.tenantId, record.id);
    const fresh = new InMemoryApiKeyStore();
    const late = new KeyServices(fresh, { cache: CACHE_DEFAULTS });
    expect(await late.present(secret.reveal())).toMatchObject({ reason: 'unknown_key' });
    expect(stored !== null && (await fresh.insert(stored))).toBe(true);
    expect(await late.present(secret.reveal())).toMatchObject({ reason: 'unknown_key' });
    late.clock.advance(5_001);
    expect(await late.present(secret.reveal())).toMatchObject({ status: 'authenticated' });
    expect(await present(secret.reveal())).toMatchObject({ status: 'authenticated' });
  });
});

/** Makes the store say for a number of times that an id is taken. */
function jestTimes(store: InMemoryApiKeyStore, times: number): { calls: number } {
  const insert = InMemoryApiKeyStore.prototype.insert.bind(store);
  const counted = { calls: 0 };
  store.insert = async (record) => {
    counted.calls += 1;
    return counted.calls > times ? insert(record) : false;
  };
  return counted;
}

describe('list', () => {
  it('finds keys that are old', async () => {
    const { keys, clock } = setup();
    const { record } = await keys.issue({ ...KEY, name: 'old' });
    clock.advance(90 * DAY);
    await keys.issue({ ...KEY, name: 'new' });
    const { items } = await keys.list({ createdBefore: clock.in(-DAY) });
    expect(items.map(({ id }) => id)).toEqual([record.id]);
  });

  it('finds keys that nobody uses', async () => {
    const { service, clock, present, memory } = setup();
    const keys = service.forTenant('acme');
    const [never, once, daily] = [await keys.issue(KEY), await keys.issue(KEY), await keys.issue(KEY)];
    const use = async (id: string): Promise<void> => memory.recordUses([{ id, at: clock.in(0) }]);
    await use(once.record.id);
    clock.advance(90 * DAY);
    await use(daily.record.id);
    await keys.issue({ ...KEY, name: 'made today, and not used yet' });
    const { items } = await keys.list({ unusedSince: clock.in(-30 * DAY) });
    expect(items.map(({ id }) => id).sort()).toEqual([never.record.id, once.record.id].sort());
    expect(await present(never.secret.reveal())).toMatchObject({ status: 'authenticated' });
  });
});

describe('prune', () => {
  it('removes the keys of all tenants that have been dead for so long, and tells how many', async () => {
    const { service, clock, recorded } = setup();
    const [acme, globex] = [service.forTenant('acme'), service.forTenant('globex')];
    const [revoked, rotated] = [await acme.issue(KEY), await globex.issue(KEY)];
    await acme.issue({ ...KEY, expiresAt: clock.in(1) });
    await acme.issue(KEY);
    await acme.revoke(revoked.record.id);
    await globex.rotate(rotated.record.id, { immediate: true });
    expect(await service.prune({ deadFor: '90d' })).toBe(0);
    clock.advance(90 * DAY + 2);
    const recent = await acme.issue(KEY);
    await acme.revoke(recent.record.id);
    expect(await service.prune({ deadFor: '90d' })).toBe(3);
    expect((await acme.list({ includeRevoked: true })).items).toHaveLength(2);
    expect((await globex.list({ includeRevoked: true })).items).toHaveLength(1);
    expect(recorded.at(-1)).toEqual({ type: 'keys_pruned', at: clock.in(0), actor: 'system', count: 3 });
  });

  it('goes on until nothing is left', async () => {
    const { service, keys, clock, store } = setup();
    for (let index = 0; index < 1_001; index += 1) await keys.issue({ ...KEY, expiresAt: clock.in(1) });
    clock.advance(DAY);
    store.reset();
    expect(await service.prune({ deadFor: '1h' })).toBe(1_001);
    expect(store.calls).toEqual(['prune', 'prune']);
  });

  it.each([[undefined], ['90 days'], [-1]])('refuses %p', async (deadFor) => {
    const { service, store } = setup();
    expect(await refusalOf(service.prune({ deadFor: deadFor as string }))).toMatchObject({
      name: 'KeyfenceConfigurationError',
    });
    expect(store.calls).toEqual([]);
  });
});

describe('every action', () => {
  it('is one event, that names the key and whoever asked, and holds neither key nor digest', async () => {
    const { service, clock, recorded, keys } = setup();
    const { record, secret } = await keys.issue({ ...KEY, scopes: ['files:read', 'keys:write'] });
    const grantedBy = { tenantId: 'acme', keyId: record.id, scopes: record.scopes } as unknown as Principal;
    const granted = service.forTenant('acme', { grantedBy });
    const made = await granted.issue(KEY);
    await granted.update(made.record.id, { name: 'changed' });
    const rotated = await granted.rotate(made.record.id);
    await granted.revoke(rotated.record.id);
    clock.advance(1);
    await granted.revoke(rotated.record.id);
    const actor = { tenantId: 'acme', keyId: record.id };
    expect(recorded.map(({ type, ...event }) => [type, event])).toEqual([
      ['key_issued', expect.objectContaining({ tenantId: 'acme', keyId: record.id, actor: 'system' })],
      ['key_issued', expect.objectContaining({ keyId: made.record.id, actor })],
      ['key_updated', expect.objectContaining({ keyId: made.record.id, actor })],
      ['key_rotated', expect.objectContaining({ keyId: made.record.id, successorId: rotated.record.id, actor })],
      ['key_revoked', expect.objectContaining({ keyId: rotated.record.id, actor })],
    ]);
    const printed = JSON.stringify(recorded);
    for (const text of [secret.reveal(), record.digest, made.record.digest, rotated.record.digest, record.locator]) {
      expect(printed).not.toContain(text);
    }
  });
});
