import { Logger } from '@nestjs/common';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { InMemoryApiKeyStore, type ExistingKey } from '../../src/api-key/in-memory-api-key.store.js';
import type { ApiKeyRecord } from '../../src/api-key/api-key-record.js';
import type { Authentication } from '../../src/principal/authentication.js';
import type { TenantId } from '../../src/principal/tenant-id.js';
import { CapturedLog } from '../support/captured-log.js';
import { KeyServices } from '../support/key-services.js';
import { TestClock } from '../support/test-clock.js';
import { composeKey, sampleKey, withWrongChecksum } from '../support/sample-key.js';

const ACME = 'acme' as TenantId;
const ROLE: ExistingKey = { tenantId: 'acme', scopes: ['files:read'] };

async function present(store: InMemoryApiKeyStore, text: string): Promise<Authentication> {
  return new KeyServices(store).present(text);
}

let log: CapturedLog;

beforeEach(() => {
  log = new CapturedLog();
  Logger.overrideLogger(log);
});

afterEach(() => {
  Logger.overrideLogger(false);
});

describe('fromKeys', () => {
  it.each([
    ['a UUID', '0e37df36-f698-11e6-8dd4-cb9ced3df976'],
    ['hexadecimal text', 'a3f1'.repeat(16)],
    ['base64', 'q83vEjRWeJCrze8SNFZ4kKvN7xI0VniQ+/=='],
    ['a key with dots', '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'],
    ['a key with punctuation', `!"#$%&'()*+-./:;<=>?@[\\]^_\`{|}~`],
    ['one of our own', composeKey()],
    ['one of our own, of another environment', composeKey({ label: 'kftest' })],
    ["one of Nest's own form", `nk_0123456789abcdef_${'aB-_'.repeat(10)}abc`],
    ['the shortest', 'abcdefghijklmnop'],
    ['the longest', 'x'.repeat(512)],
  ])('takes %s', async (_what, text) => {
    const store = InMemoryApiKeyStore.fromKeys({ [text]: ROLE });
    expect(await present(store, text)).toMatchObject({
      status: 'authenticated',
      principal: { tenantId: 'acme', scopes: ['files:read'] },
    });
    expect(await present(store, `${text.slice(0, -1)}Q`)).toMatchObject({ status: 'invalid' });
  });

  it.each([
    '__proto__',
    'constructor',
    'toString',
    'hasOwnProperty',
    'valueOf',
    '__defineGetter__',
    'isPrototypeOf',
    'propertyIsEnumerable',
  ])('accepts no key %s that nobody configured', async (text) => {
    const store = InMemoryApiKeyStore.fromKeys({ abcdefghijklmnopqrstuvwxyz: ROLE });
    expect(await present(store, text)).toMatchObject({ status: 'invalid' });
    expect(await store.findByLocator(text)).toBeNull();
    expect(await store.findById(ACME, text)).toBeNull();
  });

  it('keeps digests, and no key', () => {
    const text = 'a-key-that-is-only-in-configuration';
    const store = InMemoryApiKeyStore.fromKeys({ [text]: ROLE });
    expect(JSON.stringify(store)).not.toContain(text);
    return store.list(ACME, { limit: 10, includeRevoked: true }).then(({ items }) => {
      expect(items).toHaveLength(1);
      expect(JSON.stringify(items)).not.toContain(text);
    });
  });

  it.each([
    ['', 'nothing'],
    [String(undefined), 'what an unset variable becomes'],
    [' ', 'a space'],
    ['fifteen-charact', '15 characters'],
    ['x'.repeat(513), '513 characters'],
    ['a key with spaces in it', 'spaces'],
    ['a-key-with-a-line-feed\n', 'a line feed'],
    ['a-key-with-ümlaut-in-it', 'a letter that is not ASCII'],
    // It could never be presented: two headers joined into one look the same.
    ['a-key,with-a-comma-in-it', 'a comma'],
  ])('refuses %j at boot (%s), and does not print it', (text) => {
    const make = (): unknown => InMemoryApiKeyStore.fromKeys({ abcdefghijklmnopqrstuvwxyz: ROLE, [text]: ROLE });
    expect(make).toThrow(
      expect.objectContaining({
        name: 'KeyfenceConfigurationError',
        message: expect.stringMatching(
          /^Keyfence: InMemoryApiKeyStore\.fromKeys: key number 2 .*visible ASCII.*environment variable/,
        ),
      }),
    );
    if (text.trim().length > 3 && text !== 'undefined') {
      expect(make).not.toThrow(text);
      expect(log.textOf()).not.toContain(text);
    }
  });

  it.each<[string, Record<string, unknown>, string]>([
    ['a tenant id that leads out', { tenantId: '../globex' }, 'tenantId'],
    ['no tenant id', { tenantId: undefined }, 'tenantId'],
    ['an empty tenant id', { tenantId: '' }, 'tenantId'],
    ['no scopes', { scopes: undefined }, 'scopes'],
    ['scopes as a text', { scopes: 'files:read' }, 'scopes'],
    ['a scope that is none', { scopes: ['files'] }, 'scopes'],
    ['an address that is none', { allowedIps: ['localhost'] }, 'allowedIps'],
    ['a date that is a text', { expiresAt: '2999-01-01' }, 'expiresAt'],
    ['a date that is none', { expiresAt: new Date('never') }, 'expiresAt'],
  ])('refuses %s at boot, naming the field', (_what, fields, field) => {
    const text = 'sentinel-key-0123456789';
    const make = (): unknown => InMemoryApiKeyStore.fromKeys({ [text]: { ...ROLE, ...fields } });
    expect(make).toThrow(
      expect.objectContaining({ name: 'KeyfenceConfigurationError', message: expect.stringContaining(field) }),
    );
    expect(make).not.toThrow(text);
  });

  it('warns about a key under 22 characters, without printing it', () => {
    InMemoryApiKeyStore.fromKeys({ 'twenty-one-characters': ROLE });
    expect(log.textOf('warn')).toContain('key number 1 has under 22 characters');
    expect(log.textOf()).not.toContain('twenty-one-characters');
  });

  it('does not warn about 22 characters (control)', () => {
    InMemoryApiKeyStore.fromKeys({ 'twenty-two-characters!': ROLE });
    expect(log.lines).toEqual([]);
  });

  it('holds expiry and addresses', async () => {
    const clock = new TestClock();
    const store = InMemoryApiKeyStore.fromKeys({
      'a-key-that-has-expired-already': { ...ROLE, expiresAt: clock.in(0) },
      'a-key-that-is-valid-for-a-while': { ...ROLE, expiresAt: clock.in(1) },
      'a-key-that-is-bound-to-addresses': { ...ROLE, allowedIps: ['203.0.113.7'] },
    });
    expect(await present(store, 'a-key-that-has-expired-already')).toMatchObject({ reason: 'expired' });
    expect(await present(store, 'a-key-that-is-valid-for-a-while')).toMatchObject({ status: 'authenticated' });
    expect(await present(store, 'a-key-that-is-bound-to-addresses')).toMatchObject({ reason: 'address_not_allowed' });
  });

  it('does not see later changes of what it was given', async () => {
    const scopes = ['files:read'];
    const store = InMemoryApiKeyStore.fromKeys({ abcdefghijklmnopqrstuvwxyz: { tenantId: 'acme', scopes } });
    scopes.push('*:*');
    expect(await present(store, 'abcdefghijklmnopqrstuvwxyz')).toMatchObject({ principal: { scopes: ['files:read'] } });
  });

  it('refuses one of our own keys with a wrong checksum, which could never be presented', () => {
    expect(() => InMemoryApiKeyStore.fromKeys({ [withWrongChecksum(composeKey())]: ROLE })).not.toThrow(composeKey());
  });
});

describe('copies', () => {
  async function stored(): Promise<{ store: InMemoryApiKeyStore; record: ApiKeyRecord }> {
    const store = new InMemoryApiKeyStore();
    const { record } = sampleKey({ expiresAt: new Date(5), metadata: { nested: { list: [1] } } });
    await store.insert(record);
    return { store, record };
  }

  it('are taken of what is inserted', async () => {
    const { store, record } = await stored();
    (record.scopes as unknown as string[]).push('*:*');
    record.expiresAt?.setTime(9);
    const kept = await store.findById(ACME, record.id);
    expect(kept).toMatchObject({ scopes: ['files:read'], expiresAt: new Date(5) });
  });

  it.each<[string, (store: InMemoryApiKeyStore, record: ApiKeyRecord) => Promise<ApiKeyRecord | null | undefined>]>([
    ['findByLocator', (store, record) => store.findByLocator(record.locator)],
    ['findById', (store, record) => store.findById(ACME, record.id)],
    ['list', async (store) => (await store.list(ACME, { limit: 10, includeRevoked: true })).items[0]],
    ['revoke', (store, record) => store.revoke(ACME, record.id, new Date(7))],
  ])('are given by %s', async (_method, get) => {
    const { store, record } = await stored();
    const given = await get(store, record);
    expect(given?.id).toBe(record.id);
    given?.expiresAt?.setTime(9);
    // Frozen or a copy: either will do, so both attempts may fail.
    for (const change of [
      () => (given?.scopes as unknown as string[]).push('*:*'),
      () => ((given as { tenantId: string }).tenantId = 'globex'),
      () => (given?.metadata as { nested: { list: number[] } }).nested.list.push(2),
    ]) {
      try {
        change();
      } catch (error) {
        expect(error).toHaveProperty('name', 'TypeError');
      }
    }
    expect(await store.findById(ACME, record.id)).toMatchObject({
      tenantId: 'acme',
      scopes: ['files:read'],
      expiresAt: new Date(5),
      metadata: { nested: { list: [1] } },
    });
  });
});

describe('insert', () => {
  it('refuses an id or a locator that is taken, and keeps the first', async () => {
    const store = new InMemoryApiKeyStore();
    const { record } = sampleKey();
    await store.insert(record);
    expect(await store.insert(sampleKey({ id: record.id }).record)).toBe(false);
    expect(await store.insert(sampleKey({ locator: record.locator, tenantId: 'globex' }).record)).toBe(false);
    expect(await store.findByLocator(record.locator)).toMatchObject({ id: record.id, tenantId: 'acme' });
  });
});

describe('revoke', () => {
  it('is for the tenant of the key alone, and for good', async () => {
    const store = new InMemoryApiKeyStore();
    const { record } = sampleKey();
    await store.insert(record);
    expect(await store.revoke('globex' as TenantId, record.id, new Date(1))).toBeNull();
    expect((await store.findById(ACME, record.id))?.revokedAt).toBeUndefined();
    expect(await store.revoke(ACME, record.id, new Date(2))).toMatchObject({ revokedAt: new Date(2), version: 2 });
    expect(await store.revoke(ACME, record.id, new Date(3))).toMatchObject({ revokedAt: new Date(2), version: 2 });
    expect((await store.findByLocator(record.locator))?.revokedAt).toEqual(new Date(2));
  });
});
