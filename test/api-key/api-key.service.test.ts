import { inspect } from 'node:util';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { ApiKeyOptions } from '../../src/api-key/api-key-options.js';
import type { ApiKeyRecord } from '../../src/api-key/api-key-record.js';
import type { ApiKeyService } from '../../src/api-key/api-key.service.js';
import { ManagedApiKeyStore, type KeyPage } from '../../src/api-key/api-key.store.js';
import { InMemoryApiKeyStore } from '../../src/api-key/in-memory-api-key.store.js';
import type { Authentication } from '../../src/principal/authentication.js';
import type { Principal } from '../../src/principal/principal.js';
import { CountingStore, StubStore } from '../support/counting-store.js';
import { KeyServices } from '../support/key-services.js';
import { TestClock } from '../support/test-clock.js';

interface Setup {
  readonly service: ApiKeyService;
  readonly store: CountingStore;
  readonly clock: TestClock;
  readonly present: (text: string) => Promise<Authentication>;
}

function setup(options: Partial<ApiKeyOptions> = {}): Setup {
  const store = new CountingStore(new InMemoryApiKeyStore());
  const clock = new TestClock();
  const { service, present } = new KeyServices(store, options, clock);
  return { service, store, clock, present };
}

function principal(fields: Record<string, unknown> = {}): Principal {
  return { tenantId: 'acme', keyId: 'key_1', scopes: ['files:read', 'keys:write'], ...fields } as unknown as Principal;
}

/** In the order of time, after the test clock's. */
const END = [new Date('2027-01-05'), new Date('2027-01-09'), new Date('2027-01-10')];
const KEY = { name: 'ci', scopes: ['files:read'] };

describe('issue', () => {
  it('makes a key that is accepted, for the tenant that was named', async () => {
    const { service, present, clock } = setup();
    const expiresAt = clock.in(1_000);
    const { record, secret } = await service.forTenant('acme').issue({ ...KEY, expiresAt, metadata: { plan: 'pro' } });
    expect(await present(secret.reveal())).toEqual({
      status: 'authenticated',
      principal: { tenantId: 'acme', keyId: record.id, scopes: ['files:read'], expiresAt, metadata: { plan: 'pro' } },
    });
    expect(record).toMatchObject({ createdAt: clock.in(0), lineageId: record.id, version: 1, environment: 'live' });
    expect(record.id).toMatch(/^key_[0-9a-f]{24}$/);
  });

  it('writes the text of the key nowhere', async () => {
    const { service } = setup();
    const keys = service.forTenant('acme');
    const issued = await keys.issue(KEY);
    const text = issued.secret.reveal();
    const [, , secret = ''] = text.split('_');
    const printed = [
      inspect(issued, { depth: Infinity, showHidden: true }),
      JSON.stringify(issued),
      JSON.stringify(await keys.get(issued.record.id)),
      JSON.stringify(await keys.list()),
      JSON.stringify(await keys.revoke(issued.record.id)),
    ].join('\n');
    expect(printed).toContain(issued.record.id);
    expect(printed).not.toContain(secret);
  });

  it('keeps what cannot authenticate', async () => {
    const { service, present } = setup();
    const { record } = await service.forTenant('acme').issue(KEY);
    for (const text of [
      record.digest,
      record.locator,
      record.id,
      `kflive_${record.locator}_${record.digest.slice(0, 43)}`,
    ]) {
      expect(await present(text)).toMatchObject({ status: 'invalid' });
    }
  });

  it('refuses a wrong field before it writes', async () => {
    const { service, store } = setup();
    await expect(service.forTenant('acme').issue({ ...KEY, scopes: ['files'] })).rejects.toThrow('issue({ scopes })');
    expect(store.calls).toEqual([]);
  });
});

describe('the ceiling of a grant', () => {
  it.each<[string, Partial<Record<'scopes' | 'expiresAt', unknown>>, Record<string, unknown>]>([
    ['what the grantor holds', { scopes: ['files:read'] }, {}],
    ['all that the grantor holds', { scopes: ['files:read', 'keys:write'] }, {}],
    ['a part of a wildcard', { scopes: ['files:read'] }, { scopes: ['files:*'] }],
    ['the same wildcard', { scopes: ['files:*'] }, { scopes: ['files:*'] }],
    ['an earlier end', { expiresAt: END[0] }, { expiresAt: END[1] }],
    ['the same end', { expiresAt: END[1] }, { expiresAt: END[1] }],
    ['an end, where the grantor has none', { expiresAt: END[1] }, {}],
  ])('allows %s', async (_what, key, grantor) => {
    const { service, store } = setup();
    const keys = service.forTenant('acme', { grantedBy: principal(grantor) });
    await keys.issue({ ...KEY, ...key } as typeof KEY);
    expect(store.writes).toBe(1);
  });

  it.each<[string, Partial<Record<'scopes' | 'expiresAt', unknown>>, Record<string, unknown>, string]>([
    ['another scope', { scopes: ['files:read', 'files:write'] }, {}, 'files:write'],
    ['a wildcard over it', { scopes: ['files:*'] }, {}, 'files:*'],
    ['everything', { scopes: ['*:*'] }, { scopes: ['files:*', '*:read'] }, '*:*'],
    ['a later end', { expiresAt: END[2] }, { expiresAt: END[1] }, 'a longer life'],
    ['no end', {}, { expiresAt: END[1] }, 'a longer life'],
    ['anything, from a grantor without scopes', {}, { scopes: [] }, 'files:read'],
  ])('refuses %s, and writes nothing', async (_what, key, grantor, named) => {
    const { service, store } = setup();
    const keys = service.forTenant('acme', { grantedBy: principal(grantor) });
    await expect(keys.issue({ ...KEY, ...key } as typeof KEY)).rejects.toMatchObject({
      errorCode: 'grant_exceeded',
      status: 403,
      message: expect.stringContaining(named),
    });
    expect(store.calls).toEqual([]);
  });

  it('refuses another tenant at once, whatever the scopes', () => {
    const { service } = setup();
    const grantedBy = principal({ tenantId: 'globex', scopes: ['*:*'] });
    expect(() => service.forTenant('acme', { grantedBy })).toThrow(
      expect.objectContaining({ errorCode: 'grant_exceeded', message: expect.stringContaining('this tenant') }),
    );
    expect(service.forTenant('globex', { grantedBy }).tenantId).toBe('globex');
  });

  it('refuses a grantor that is undefined, which would be no ceiling at all', () => {
    const { service } = setup();
    expect(() => service.forTenant('acme', { grantedBy: undefined })).toThrow(
      expect.objectContaining({ name: 'KeyfenceConfigurationError', message: expect.stringContaining('grantedBy') }),
    );
    expect(service.forTenant('acme', {}).tenantId).toBe('acme');
  });

  it.each<[string[] | undefined, string[] | undefined, string[] | undefined | 'refused']>([
    [['10.0.0.0/8'], undefined, ['10.0.0.0/8']],
    [['10.0.0.0/8'], ['10.1.0.0/16', '10.0.0.1'], ['10.1.0.0/16', '10.0.0.1']],
    [['10.0.0.0/8'], ['10.0.0.0/8'], ['10.0.0.0/8']],
    [['10.0.0.0/8', '2001:db8::/32'], ['2001:db8::1'], ['2001:db8::1']],
    [['10.0.0.0/8'], ['10.0.0.0/7'], 'refused'],
    [['10.0.0.0/8'], ['10.0.0.1', '203.0.113.7'], 'refused'],
    [['10.0.0.0/8'], ['0.0.0.0/0'], 'refused'],
    [['10.0.0.0/8'], ['::/0'], 'refused'],
    [undefined, ['203.0.113.7'], ['203.0.113.7']],
    [undefined, undefined, undefined],
  ])('of a grantor bound to %j gives a key for %j: %j', async (bound, asked, given) => {
    const { service, store } = setup();
    const keys = service.forTenant('acme', { grantedBy: principal({ allowedIps: bound }) });
    const issued = keys.issue({ ...KEY, allowedIps: asked });
    if (given === 'refused') {
      await expect(issued).rejects.toMatchObject({ errorCode: 'grant_exceeded' });
      expect(store.calls).toEqual([]);
    } else {
      expect((await issued).record.allowedIps).toEqual(given);
    }
  });

  it('names only what exceeds, not what is held', async () => {
    const { service } = setup();
    const keys = service.forTenant('acme', { grantedBy: principal() });
    const refused = keys.issue({ name: 'ci', scopes: ['files:read', 'files:write'] });
    await expect(refused).rejects.toMatchObject({ message: 'The grantor does not hold: files:write.' });
  });
});

describe('get, list and revoke', () => {
  it('know nothing of the keys of another tenant', async () => {
    const { service, present } = setup();
    const { record, secret } = await service.forTenant('acme').issue(KEY);
    const others = service.forTenant('globex');
    const missing = await others.get('key_none').catch((error: unknown) => error);
    for (const attempt of [others.get(record.id), others.revoke(record.id)]) {
      await expect(attempt).rejects.toMatchObject({ errorCode: 'key_not_found', status: 404 });
      await expect(attempt).rejects.toEqual(missing);
    }
    expect(await others.list({ includeRevoked: true })).toEqual({ items: [], next: undefined });
    expect(await present(secret.reveal())).toMatchObject({ status: 'authenticated' });
    // The control: its own tenant gets at it.
    expect(await service.forTenant('acme').get(record.id)).toMatchObject({ id: record.id });
  });

  it('end a key at once, for good, and again without a change', async () => {
    const { service, present, clock } = setup();
    const keys = service.forTenant('acme');
    const { record, secret } = await keys.issue(KEY);
    const revokedAt = clock.in(0);
    expect(await keys.revoke(record.id)).toMatchObject({ revokedAt, version: 2 });
    expect(await present(secret.reveal())).toMatchObject({ status: 'invalid', reason: 'revoked' });
    clock.advance(1_000);
    expect(await keys.revoke(record.id)).toMatchObject({ revokedAt, version: 2 });
  });

  it.each([[''], ['key_none'], ['__proto__'], ['constructor']])('find nothing by %j', async (id) => {
    const { service } = setup();
    const keys = service.forTenant('acme');
    await expect(keys.get(id)).rejects.toMatchObject({ errorCode: 'key_not_found' });
    await expect(keys.revoke(id)).rejects.toMatchObject({ errorCode: 'key_not_found' });
  });
});

describe('list', () => {
  async function withKeys(count: number): Promise<Setup & { ids: string[] }> {
    const made = setup();
    const ids: string[] = [];
    for (let index = 0; index < count; index += 1) {
      ids.push((await made.service.forTenant('acme').issue({ ...KEY, name: `key ${index}` })).record.id);
      made.clock.advance(1);
      await made.service.forTenant('globex').issue(KEY);
    }
    return { ...made, ids };
  }

  async function pages(keys: { list: (options: object) => Promise<KeyPage> }, limit: number): Promise<string[][]> {
    const all: string[][] = [];
    let cursor: string | undefined;
    do {
      const page = await keys.list({ limit, cursor });
      all.push(page.items.map((record) => record.id));
      cursor = page.next;
    } while (cursor !== undefined && all.length < 20);
    return all;
  }

  it.each([
    [1, [1, 1, 1, 1, 1]],
    [2, [2, 2, 1]],
    [5, [5]],
    [200, [5]],
  ])('gives every key of the tenant once, oldest first, in pages of %i', async (limit, sizes) => {
    const { service, ids } = await withKeys(5);
    const all = await pages(service.forTenant('acme'), limit);
    expect(all.map((page) => page.length)).toEqual(sizes);
    expect(all.flat()).toEqual(ids);
  });

  it('leaves revoked keys out, unless asked for', async () => {
    const { service, ids } = await withKeys(3);
    const keys = service.forTenant('acme');
    await keys.revoke(ids[1] ?? '');
    const idsOf = (page: KeyPage): string[] => page.items.map((record) => record.id);
    expect(idsOf(await keys.list())).toEqual([ids[0], ids[2]]);
    expect(idsOf(await keys.list({ includeRevoked: true }))).toEqual(ids);
  });

  it('goes on where it was, if the key that it stopped at was revoked meanwhile', async () => {
    const { service, ids } = await withKeys(4);
    const keys = service.forTenant('acme');
    const first = await keys.list({ limit: 2 });
    await keys.revoke(ids[1] ?? '');
    const second = await keys.list({ limit: 2, cursor: first.next });
    expect(second.items.map((record) => record.id)).toEqual([ids[2], ids[3]]);
  });

  it.each([0, -1, 1.5, 201, Number.NaN, Infinity, '2'])('refuses a limit of %p', async (limit) => {
    const { service } = setup();
    const keys = service.forTenant('acme');
    await expect((async () => keys.list({ limit: limit as number }))()).rejects.toMatchObject({
      name: 'KeyfenceConfigurationError',
      message: expect.stringContaining('list({ limit })'),
    });
  });

  it('is empty for a tenant without keys', async () => {
    const { service } = setup();
    expect(await service.forTenant('acme').list()).toEqual({ items: [], next: undefined });
  });
});

describe('forTenant', () => {
  it.each([[''], ['../globex'], ['a/b'], ['.'], ['nul'], [undefined], [['acme']]])('refuses %p', (tenantId) => {
    const { service } = setup();
    expect(() => service.forTenant(tenantId as string)).toThrow(
      expect.objectContaining({ name: 'KeyfenceConfigurationError', message: expect.stringContaining('tenantId') }),
    );
  });

  it('refuses a store that can only look keys up, and says what to extend', () => {
    const service = new KeyServices(new StubStore(() => null)).service;
    expect(() => service.forTenant('acme')).toThrow(/ManagedApiKeyStore/);
  });
});

describe('a store that fails', () => {
  class DownStore extends ManagedApiKeyStore {
    constructor(private readonly fail: () => Promise<never>) {
      super();
    }
    findByLocator = (): Promise<never> => this.fail();
    insert = (): Promise<never> => this.fail();
    findById = (): Promise<never> => this.fail();
    revoke = (): Promise<never> => this.fail();
    list = (): Promise<never> => this.fail();
    update = (): Promise<never> => this.fail();
    rotate = (): Promise<never> => this.fail();
    recordUses = (): Promise<never> => this.fail();
    replaceDigests = (): Promise<never> => this.fail();
    prune = (): Promise<never> => this.fail();
  }

  const down = new Error('connect ECONNREFUSED postgres://user:password@db');

  it.each<[string, () => Promise<never>]>([
    ['by rejecting', () => Promise.reject(down)],
    [
      'by throwing at once',
      () => {
        throw down;
      },
    ],
  ])('%s is unavailable, and its message goes no further', async (_how, fail) => {
    const keys = new KeyServices(new DownStore(fail)).service.forTenant('acme');
    for (const attempt of [
      async () => keys.issue(KEY),
      async () => keys.get('key_1'),
      async () => keys.list(),
      async () => keys.revoke('key_1'),
    ]) {
      const error: unknown = await attempt().then(
        () => undefined,
        (thrown: unknown) => thrown,
      );
      expect(error).toMatchObject({ errorCode: 'key_store_unavailable', status: 503, cause: down });
      expect(JSON.stringify((error as { getResponse(): unknown }).getResponse())).not.toContain('password');
    }
  });
});

describe('issuing into a store in memory', () => {
  const { NODE_ENV } = process.env;

  beforeEach(() => {
    process.env.NODE_ENV = 'production';
  });

  afterEach(() => {
    process.env.NODE_ENV = NODE_ENV;
  });

  it('is refused in production, naming the cure', async () => {
    const { service, store } = setup();
    await expect(service.forTenant('acme').issue(KEY)).rejects.toMatchObject({
      name: 'KeyfenceConfigurationError',
      message: expect.stringContaining('allowInMemoryStore: true'),
    });
    expect(store.calls).toEqual([]);
  });

  it('is allowed there by option', async () => {
    const { service } = setup({ allowInMemoryStore: true });
    const { record } = await service.forTenant('acme').issue(KEY);
    expect(record.tenantId).toBe('acme');
  });

  it('is allowed elsewhere (control)', async () => {
    process.env.NODE_ENV = 'development';
    const { service } = setup();
    const { record } = await service.forTenant('acme').issue(KEY);
    expect(record.tenantId).toBe('acme');
  });

  it('leaves keys from configuration and stores with a database alone', async () => {
    class KeptStore extends InMemoryApiKeyStore {
      override readonly volatile = false as true;
    }
    const service = new KeyServices(new KeptStore()).service;
    const issued: { record: ApiKeyRecord } = await service.forTenant('acme').issue(KEY);
    expect(issued.record.tenantId).toBe('acme');
    expect(() =>
      InMemoryApiKeyStore.fromKeys({ abcdefghijklmnopqrstuvwxyz: { tenantId: 'acme', scopes: ['files:read'] } }),
    ).not.toThrow();
  });
});
