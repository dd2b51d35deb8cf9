import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import type { ApiKeyOptions } from '../../src/api-key/api-key-options.js';
import type { ApiKeyStore } from '../../src/api-key/api-key.store.js';
import { InMemoryApiKeyStore } from '../../src/api-key/in-memory-api-key.store.js';
import { deriveLocator, KeyDigester } from '../../src/api-key/key-digest.js';
import type { InvalidKeyReason } from '../../src/errors/authentication.exceptions.js';
import type { Authentication } from '../../src/principal/authentication.js';
import { CountingStore, StubStore } from '../support/counting-store.js';
import { KeyServices } from '../support/key-services.js';
import {
  composeKey,
  sampleKey,
  storedKey,
  withWrongChecksum,
  withWrongSecret,
  type RecordFields,
} from '../support/sample-key.js';
import { TestClock } from '../support/test-clock.js';

type Present = (text: string, headers?: Record<string, string>) => Promise<Authentication>;

function presenter(store: ApiKeyStore, options: Partial<ApiKeyOptions> = {}, clock = new TestClock()): Present {
  return new KeyServices(store, options, clock).present;
}

/** With or without the key that was named, which is for operators. */
function invalid(reason: InvalidKeyReason): Authentication {
  return expect.objectContaining({ status: 'invalid', reason }) as unknown as Authentication;
}

interface Setup {
  readonly store: CountingStore;
  readonly clock: TestClock;
  readonly present: Present;
  /** Stores a key with these fields and presents it. */
  readonly presentNew: (fields?: RecordFields) => Promise<Authentication>;
}

function setup(options: Partial<ApiKeyOptions> = {}): Setup {
  const memory = new InMemoryApiKeyStore();
  const store = new CountingStore(memory);
  const clock = new TestClock();
  const present = presenter(store, options, clock);
  return { store, clock, present, presentNew: async (fields) => present(await storedKey(memory, fields)) };
}

describe('a valid key', () => {
  it('becomes a frozen principal, with what the record says and nothing more', async () => {
    const { presentNew, clock } = setup();
    const expiresAt = clock.in(60_000);
    const found = await presentNew({ id: 'key_1', expiresAt, metadata: { plan: 'pro' } });
    expect(found).toEqual({
      status: 'authenticated',
      principal: { tenantId: 'acme', keyId: 'key_1', scopes: ['files:read'], expiresAt, metadata: { plan: 'pro' } },
    });
    if (found.status !== 'authenticated') throw new Error('unreachable');
    expect(Object.isFrozen(found.principal)).toBe(true);
    expect(Object.isFrozen(found.principal.scopes)).toBe(true);
  });

  it('costs one look-up and no write, every time', async () => {
    const { store, presentNew } = setup();
    await presentNew();
    expect(store.calls).toEqual(['findByLocator']);
    await presentNew();
    expect(store.calls).toEqual(['findByLocator', 'findByLocator']);
    expect(store.writes).toBe(0);
  });

  it('gives a principal whose change changes no stored key', async () => {
    const memory = new InMemoryApiKeyStore();
    const clock = new TestClock();
    const present = presenter(memory, {}, clock);
    const text = await storedKey(memory, { expiresAt: clock.in(60_000) });
    const found = await present(text);
    if (found.status !== 'authenticated') throw new Error('The control failed: the key is not accepted.');
    found.principal.expiresAt?.setFullYear(2999);
    clock.advance(60_000);
    expect(await present(text)).toEqual(invalid('expired'));
  });
});

describe('no key', () => {
  it('is missing, and costs nothing', async () => {
    const { store, present } = setup();
    expect(await present('', {})).toEqual({ status: 'missing' });
    expect(store.calls).toEqual([]);
  });
});

describe('a key that cannot be one', () => {
  it.each<[string, string, InvalidKeyReason]>([
    ['an empty header', '', 'malformed_credentials'],
    ['a doubled header', `${composeKey()}, ${composeKey()}`, 'malformed_credentials'],
    ['an over-long header', 'a'.repeat(513), 'malformed_credentials'],
    ['CRLF', `${composeKey()}\r\n`, 'malformed_credentials'],
    ['another format', 'sk_test_4eC39HqLyjWDarjtT1zdp7dc', 'malformed_key'],
    ['__proto__', '__proto__', 'malformed_key'],
    ['a wrong checksum', withWrongChecksum(composeKey()), 'bad_checksum'],
    ['a cut key', composeKey().slice(0, -1), 'malformed_key'],
    ['another environment', composeKey({ label: 'kftest' }), 'wrong_environment'],
  ])('is refused without asking the store: %s', async (_what, text, reason) => {
    const { store, present } = setup();
    expect(await present(text)).toEqual(invalid(reason));
    expect(store.calls).toEqual([]);
  });

  it('would have been looked up, were it well-formed (control)', async () => {
    const { store, present } = setup();
    expect(await present(composeKey())).toEqual(invalid('unknown_key'));
    expect(store.calls).toEqual(['findByLocator']);
  });
});

describe('a key that is not accepted', () => {
  const clock = new TestClock();

  it.each<[InvalidKeyReason, RecordFields]>([
    ['revoked', { revokedAt: clock.in(-1) }],
    // Revoked is revoked: a date that lies ahead is no licence until then.
    ['revoked', { revokedAt: clock.in(60_000) }],
    ['expired', { expiresAt: clock.in(-1) }],
    ['expired', { expiresAt: clock.in(0) }],
    ['not_yet_valid', { notBefore: clock.in(1) }],
    ['address_not_allowed', { allowedIps: ['203.0.113.0/24'] }],
    ['address_not_allowed', { allowedIps: [] }],
    ['wrong_environment', { environment: 'test' }],
    ['unknown_digest_version', { digestVersion: 'md5' }],
    ['malformed_record', { tenantId: undefined }],
    ['malformed_record', { expiresAt: 'never' }],
    ['malformed_record', { paths: ['../**'] }],
    ['malformed_record', { rotatedTo: 'key_2' }],
    ['rotated', { rotatedTo: 'key_2', graceEndsAt: new Date('2026-06-01T12:00:00.000Z') }],
    ['wrong_secret', { digest: new KeyDigester().digest('another key') }],
  ])('is %s, after one look-up and no write: %j', async (reason, fields) => {
    const { store, presentNew } = setup();
    expect(await presentNew(fields)).toEqual(invalid(reason));
    expect(store.calls).toEqual(['findByLocator']);
  });

  it.each<[string, RecordFields]>([
    ['until the moment it expires', { expiresAt: clock.in(1) }],
    ['from the moment it starts', { notBefore: clock.in(0) }],
    ['in any environment, if its record says so', { environment: 'any' }],
    [
      'with absent limits that a database says by null',
      { expiresAt: null, revokedAt: null, notBefore: null, allowedIps: null },
    ],
  ])('is accepted %s (control)', async (_what, fields) => {
    const { presentNew } = setup();
    expect(await presentNew(fields)).toMatchObject({ status: 'authenticated' });
  });

  it('tells its state to nobody but the holder of its secret', async () => {
    const memory = new InMemoryApiKeyStore();
    const present = presenter(memory);
    const revoked = await storedKey(memory, { revokedAt: clock.in(-1) });
    expect(await present(withWrongSecret(revoked))).toEqual(invalid('wrong_secret'));
    expect(await present(revoked)).toEqual(invalid('revoked'));
  });

  it('is denied as soon as it expires, with nothing restarted', async () => {
    const memory = new InMemoryApiKeyStore();
    const now = new TestClock();
    const present = presenter(memory, {}, now);
    const text = await storedKey(memory, { expiresAt: now.in(60_000) });
    expect(await present(text)).toMatchObject({ status: 'authenticated' });
    now.advance(59_999);
    expect(await present(text)).toMatchObject({ status: 'authenticated' });
    now.advance(1);
    expect(await present(text)).toEqual(invalid('expired'));
  });
});

describe('the record that a store returns', () => {
  it('must be the one that was asked for', async () => {
    const mine = sampleKey();
    const others = sampleKey({ tenantId: 'globex', digest: new KeyDigester().digest(mine.text) });
    const present = presenter(new StubStore(() => Promise.resolve(others.record)));
    expect(await present(mine.text)).toEqual(invalid('malformed_record'));
    const control = presenter(new StubStore(() => Promise.resolve(mine.record)));
    expect(await control(mine.text)).toMatchObject({ status: 'authenticated' });
  });

  it.each([
    ['a text', 'record'],
    ['a number', 1],
    ['true', true],
    ['an empty object', {}],
    ['a list of records', [sampleKey().record]],
    ['a function', () => sampleKey().record],
  ])('is no record if it is %s', async (_what, value) => {
    const present = presenter(new StubStore(() => Promise.resolve(value)));
    expect(await present(composeKey())).toEqual(invalid('malformed_record'));
  });

  it.each([
    ['null', null],
    ['undefined', undefined],
  ])('is absent if it is %s', async (_what, value) => {
    const present = presenter(new StubStore(() => Promise.resolve(value)));
    expect(await present(composeKey())).toEqual(invalid('unknown_key'));
  });

  it('may come without a promise', async () => {
    const { text, record } = sampleKey();
    expect(await presenter(new StubStore(() => record))(text)).toMatchObject({ status: 'authenticated' });
  });

  it.each(['tenantId', 'locator', 'scopes', 'expiresAt', 'metadata', 'paths'])(
    'denies, and does not throw, if its %s throws',
    async (field) => {
      const { text, record } = sampleKey();
      const hostile = Object.defineProperty({ ...record }, field, {
        enumerable: true,
        get() {
          throw new Error('lazy column is not loaded');
        },
      });
      const found = await presenter(new StubStore(() => Promise.resolve(hostile)))(text);
      expect(['invalid', 'unavailable']).toContain(found.status);
    },
  );
});

describe('a store that fails', () => {
  it.each<[string, () => unknown]>([
    [
      'throws at once',
      () => {
        throw new Error('down');
      },
    ],
    ['rejects', () => Promise.reject(new Error('down'))],
    // eslint-disable-next-line @typescript-eslint/prefer-promise-reject-errors -- the case
    ['rejects with what is no error', () => Promise.reject('down')],
    // eslint-disable-next-line @typescript-eslint/prefer-promise-reject-errors -- the case
    ['rejects with nothing', () => Promise.reject(undefined)],
    [
      'gives a promise that throws when it is waited for',
      () => ({
        then() {
          throw new Error('down');
        },
      }),
    ],
  ])('and %s makes keys unavailable', async (_how, answer) => {
    const found = await presenter(new StubStore(answer))(composeKey());
    expect(found.status).toBe('unavailable');
    expect(found).toHaveProperty('cause');
  });

  describe('by not answering', () => {
    beforeEach(() => {
      jest.useFakeTimers();
    });

    afterEach(() => {
      jest.useRealTimers();
    });

    it('makes keys unavailable after three seconds', async () => {
      const found = presenter(new StubStore(() => new Promise(() => undefined)))(composeKey());
      await jest.advanceTimersByTimeAsync(3_000);
      expect(await found).toMatchObject({ status: 'unavailable', cause: expect.any(Error) });
      expect(jest.getTimerCount()).toBe(0);
    });

    it('does not, if it answers a moment before (control)', async () => {
      const { text, record } = sampleKey();
      const answer = (): unknown =>
        new Promise((resolve) => {
          setTimeout(() => {
            resolve(record);
          }, 2_999);
        });
      const found = presenter(new StubStore(answer))(text);
      await jest.advanceTimersByTimeAsync(3_000);
      expect(await found).toMatchObject({ status: 'authenticated' });
    });
  });
});

describe('a key that is bound to addresses', () => {
  const allowedIps = ['203.0.113.0/24', '2001:db8::/32'];

  it.each([
    ['203.0.113.7', 'authenticated'],
    ['::ffff:203.0.113.7', 'authenticated'],
    ['2001:db8::1', 'authenticated'],
    ['198.51.100.1', 'invalid'],
    ['', 'invalid'],
    [undefined, 'invalid'],
  ])('from %s is %s', async (address, status) => {
    const { presentNew } = setup({ clientAddress: () => address });
    expect(await presentNew({ allowedIps })).toMatchObject({ status });
  });

  it.each<[string, () => unknown]>([
    [
      'throws',
      () => {
        throw new Error('no socket');
      },
    ],
    ['gives null', () => null],
    ['gives a number', () => 3_405_803_783],
    ['gives a promise', () => Promise.resolve('203.0.113.7')],
    ['gives a list', () => ['203.0.113.7']],
  ])('is refused if clientAddress %s', async (_how, clientAddress) => {
    const { presentNew } = setup({ clientAddress: clientAddress as ApiKeyOptions['clientAddress'] });
    expect(await presentNew({ allowedIps })).toEqual(invalid('address_not_allowed'));
    expect(await presentNew({ allowedIps: undefined })).toMatchObject({ status: 'authenticated' });
  });

  it('asks for the address only of such a key, and of the request that it was given', async () => {
    const memory = new InMemoryApiKeyStore();
    const clientAddress = jest.fn((request: object) => (request as { ip: string }).ip);
    const { authenticator } = new KeyServices(memory, { clientAddress });
    const request = { ip: '203.0.113.7' };
    const present = async (text: string): Promise<Authentication> =>
      authenticator.authenticate({ headers: { 'x-api-key': text } }, request);
    await present(await storedKey(memory));
    expect(clientAddress).not.toHaveBeenCalled();
    expect(await present(await storedKey(memory, { allowedIps }))).toMatchObject({ status: 'authenticated' });
    expect(clientAddress).toHaveBeenCalledWith(request);
  });
});

describe('a key of another format', () => {
  const TEXT = 'a key'.replace(' ', '-').padEnd(30, 'x');

  it('is looked up only in a store that holds such keys', async () => {
    const record = sampleKey({
      locator: deriveLocator(TEXT),
      digest: new KeyDigester().digest(TEXT),
      environment: 'any',
    }).record;
    const without = new StubStore(() => Promise.resolve(record));
    expect(await presenter(without)(TEXT)).toEqual(invalid('malformed_key'));
    expect(without.lookUps).toBe(0);
    const withForeignKeys = new StubStore(() => Promise.resolve(record), true);
    expect(await presenter(withForeignKeys)(TEXT)).toMatchObject({ status: 'authenticated' });
    expect(withForeignKeys.lookUps).toBe(1);
  });
});

describe('a bearer token', () => {
  const JWT = 'eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl';

  it.each<[string, boolean, string, string]>([
    ['of our form is a key', false, composeKey(), 'invalid'],
    ['of another environment is a key', false, composeKey({ label: 'kftest' }), 'invalid'],
    ['of our form with a wrong checksum is a key', false, withWrongChecksum(composeKey()), 'invalid'],
    ["of Nest's own form, with another prefix, is none", false, composeKey({ label: 'nk' }), 'missing'],
    ['of any other form is none', false, 'opaque-session-token', 'missing'],
    ['that is a JWT is none', false, JWT, 'missing'],
    ['that is a JWT is none, even where keys have any form', true, JWT, 'missing'],
    ['that is a JWT without a signature is none', true, 'eyJhbGciOiJub25lIn0.eyJzdWIiOiIxIn0.', 'missing'],
    ['of any other form is a key where keys have any form', true, 'an-existing-opaque-key', 'invalid'],
  ])('%s', async (_what, foreign, token, status) => {
    const present = presenter(new StubStore(() => Promise.resolve(null), foreign), { bearer: true });
    expect(await present('', { authorization: `Bearer ${token}` })).toMatchObject({ status });
  });

  it('that is a key is accepted', async () => {
    const memory = new InMemoryApiKeyStore();
    const text = await storedKey(memory);
    const present = presenter(memory, { bearer: true });
    expect(await present('', { authorization: `bearer ${text}` })).toMatchObject({ status: 'authenticated' });
    expect(await presenter(memory)('', { authorization: `Bearer ${text}` })).toEqual({ status: 'missing' });
  });
});
