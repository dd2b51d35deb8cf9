import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { Logger } from '@nestjs/common';
import type { ApiKeyOptions } from '../../src/api-key/api-key-options.js';
import type { ApiKeyRecord } from '../../src/api-key/api-key-record.js';
import { InMemoryApiKeyStore } from '../../src/api-key/in-memory-api-key.store.js';
import type { InvalidKeyReason } from '../../src/errors/authentication.exceptions.js';
import type { Authentication } from '../../src/principal/authentication.js';
import { CapturedLog } from '../support/captured-log.js';
import { CountingStore, StubStore } from '../support/counting-store.js';
import { CACHE_DEFAULTS, KeyServices } from '../support/key-services.js';
import {
  composeKey,
  sampleKey,
  storedKey,
  withWrongChecksum,
  withWrongSecret,
  type RecordFields,
} from '../support/sample-key.js';

const DAY = 86_400_000;
const { ttl: TTL, negativeTtl: NEGATIVE_TTL } = CACHE_DEFAULTS;
const AUTHENTICATED = expect.objectContaining({ status: 'authenticated' }) as unknown as Authentication;
const UNAVAILABLE = expect.objectContaining({ status: 'unavailable' }) as unknown as Authentication;

let log: CapturedLog;

beforeEach(() => {
  log = new CapturedLog();
  Logger.overrideLogger(log);
});

afterEach(() => {
  Logger.overrideLogger(false);
});

/** With or without the key that was named, which is for operators. */
function invalid(reason: InvalidKeyReason): Authentication {
  return expect.objectContaining({ status: 'invalid', reason }) as unknown as Authentication;
}

/** Reads when it is asked, and hands out what it read when the test says so; and fails when the test says so. */
class HeldStore extends CountingStore {
  holding = false;
  down = false;
  readonly held: (() => void)[] = [];

  override async findByLocator(locator: string): ReturnType<CountingStore['findByLocator']> {
    const record = await super.findByLocator(locator);
    if (this.down) throw new Error('connect ECONNREFUSED');
    if (this.holding) await new Promise<void>((resolve) => this.held.push(resolve));
    return record;
  }
}

interface Setup extends KeyServices {
  readonly store: HeldStore;
  readonly memory: InMemoryApiKeyStore;
  /** Stores a key with these fields, presents it, so that it is cached, and counts anew. */
  readonly cached: (fields?: RecordFields) => Promise<string>;
}

function setup(options: Partial<ApiKeyOptions> = {}): Setup {
  const memory = new InMemoryApiKeyStore();
  const store = new HeldStore(memory);
  const services = new KeyServices(store, { cache: CACHE_DEFAULTS, ...options }).recordEvents();
  const cached = async (fields?: RecordFields): Promise<string> => {
    const text = await storedKey(memory, fields);
    await services.present(text);
    store.reset();
    return text;
  };
  return Object.assign(services, { store, memory, cached });
}

function authenticate(services: KeyServices, text: string): Authentication | Promise<Authentication> {
  return services.authenticator.authenticate({ headers: { 'x-api-key': text } }, {});
}

/** Lets promises that have nothing to wait for settle. */
async function settle(): Promise<void> {
  await new Promise((resolve) => setImmediate(resolve));
}

describe('a known key', () => {
  it('is asked for once in the time of the cache, and answered without a promise from then on', async () => {
    const made = setup();
    const text = await storedKey(made.memory);
    const first = authenticate(made, text);
    expect(first).toBeInstanceOf(Promise);
    expect(await first).toEqual(AUTHENTICATED);
    const second = authenticate(made, text);
    expect(second).not.toBeInstanceOf(Promise);
    expect(second).toEqual(await first);
    expect(made.store.calls).toEqual(['findByLocator']);
    made.clock.advance(TTL + 1);
    expect(await made.present(text)).toEqual(AUTHENTICATED);
    expect(made.store.calls).toEqual(['findByLocator', 'findByLocator']);
  });

  it('is asked for once by a hundred requests at a time', async () => {
    const { memory, store, present } = setup();
    const text = await storedKey(memory);
    const found = await Promise.all(Array.from({ length: 100 }, () => present(text)));
    expect(found).toEqual(Array.from({ length: 100 }, () => AUTHENTICATED));
    expect(store.lookUps).toBe(1);
  });

  it('is asked for at every request without a cache (control)', async () => {
    const { memory, store, present } = setup({ cache: undefined });
    const text = await storedKey(memory);
    for (let count = 0; count < 3; count += 1) await present(text);
    expect(store.lookUps).toBe(3);
  });

  it('is not opened by another secret with the same id, which costs no look-up', async () => {
    const { cached, present, store } = setup();
    const text = await cached();
    expect(await present(withWrongSecret(text))).toEqual(invalid('wrong_secret'));
    expect(await present(text)).toEqual(AUTHENTICATED);
    expect(store.calls).toEqual([]);
  });

  it('is not opened by whoever asked with another secret first', async () => {
    const { memory, present, store } = setup();
    const text = await storedKey(memory);
    const found = await Promise.all([withWrongSecret(text), text, withWrongSecret(text)].map((each) => present(each)));
    expect(found).toEqual([invalid('wrong_secret'), AUTHENTICATED, invalid('wrong_secret')]);
    expect(store.lookUps).toBe(1);
  });
});

describe('a key that is none', () => {
  it('is asked for once in the negative time', async () => {
    const { present, store, clock } = setup();
    for (let count = 0; count < 5; count += 1) {
      expect(await present(composeKey())).toEqual(invalid('unknown_key'));
      clock.advance(NEGATIVE_TTL / 5);
    }
    expect(store.lookUps).toBe(1);
    clock.advance(1);
    expect(await present(composeKey())).toEqual(invalid('unknown_key'));
    expect(store.lookUps).toBe(2);
  });

  it.each<[InvalidKeyReason, string]>([
    ['malformed_key', 'no-key-at-all'],
    ['bad_checksum', withWrongChecksum(composeKey())],
  ])('is refused without a look-up for %s, also where its id is cached', async (reason, text) => {
    const { present, store } = setup();
    expect(await present(text)).toEqual(invalid(reason));
    expect(store.calls).toEqual([]);
  });

  it('with a record that is not sound is asked for once in the negative time, and is reported', async () => {
    const { memory, present, store, recorded, clock } = setup();
    const text = await storedKey(memory, { scopes: ['*'] });
    for (let count = 0; count < 3; count += 1) expect(await present(text)).toEqual(invalid('malformed_record'));
    expect(store.lookUps).toBe(1);
    expect(recorded).toEqual([{ type: 'record_refused', at: clock.in(0), reason: expect.any(String) }]);
  });
});

describe('a cached record', () => {
  it('is compared with the time at every request', async () => {
    const { cached, present, clock, store } = setup();
    const soon = await cached({ notBefore: clock.in(1_000) });
    const short = await cached({ expiresAt: clock.in(2_000) });
    const replaced = await cached({ rotatedTo: 'key_2', graceEndsAt: clock.in(3_000) });
    const states = async (): Promise<unknown[]> => {
      const found = await Promise.all([soon, short, replaced].map((text) => present(text)));
      return found.map((each) => (each.status === 'invalid' ? each.reason : each.status));
    };
    clock.advance(999);
    expect(await states()).toEqual(['not_yet_valid', 'authenticated', 'authenticated']);
    clock.advance(1);
    expect(await states()).toEqual(['authenticated', 'authenticated', 'authenticated']);
    clock.advance(1_000);
    expect(await states()).toEqual(['authenticated', 'expired', 'authenticated']);
    clock.advance(1_000);
    expect(await states()).toEqual(['authenticated', 'expired', 'rotated']);
    expect(store.calls).toEqual([]);
  });

  it('is compared with the address of every request', async () => {
    const { cached, authenticator, store } = setup({ clientAddress: (request) => (request as { ip?: string }).ip });
    const text = await cached({ allowedIps: ['203.0.113.0/24'] });
    const from = (request: object): unknown => authenticator.authenticate({ headers: { 'x-api-key': text } }, request);
    expect(from({ ip: '203.0.113.7' })).toEqual(AUTHENTICATED);
    expect(from({ ip: '198.51.100.1' })).toEqual(invalid('address_not_allowed'));
    expect(from({})).toEqual(invalid('address_not_allowed'));
    expect(from({ ip: '203.0.113.8' })).toEqual(AUTHENTICATED);
    expect(store.calls).toEqual([]);
  });

  it.each([-DAY, DAY])('lives no longer when the clock is set by %i ms', async (milliseconds) => {
    const { cached, present, clock, store } = setup();
    const text = await cached();
    clock.shift(milliseconds);
    expect(await present(text)).toEqual(AUTHENTICATED);
    expect(store.lookUps).toBe(0);
    clock.advance(TTL + 1);
    await present(text);
    expect(store.lookUps).toBe(1);
  });

  it('is denied when the clock is set beyond its end, and not kept for being denied', async () => {
    const { cached, present, clock, store } = setup();
    const text = await cached({ expiresAt: clock.in(DAY) });
    clock.shift(DAY);
    expect(await present(text)).toEqual(invalid('expired'));
    clock.shift(-1);
    expect(await present(text)).toEqual(AUTHENTICATED);
    expect(store.calls).toEqual([]);
  });

  it('gives principals that are frozen, equal, and independent of each other and of the record', async () => {
    const { cached, present, clock } = setup();
    const expiresAt = clock.in(60_000);
    const text = await cached({
      expiresAt,
      paths: ['reports/**'],
      allowedIps: undefined,
      metadata: { plan: { name: 'pro' } },
    });
    const [first, second] = [await present(text), await present(text)];
    if (first.status !== 'authenticated' || second.status !== 'authenticated') throw new Error('unreachable');
    expect(first.principal).toEqual(second.principal);
    expect(first.principal).not.toBe(second.principal);
    const { metadata, scopes, paths } = first.principal;
    for (const part of [first.principal, scopes, paths, metadata, metadata?.plan]) {
      expect(Object.isFrozen(part)).toBe(true);
    }
    expect(() => Object.assign(first.principal, { tenantId: 'globex' })).toThrow(TypeError);
    first.principal.expiresAt?.setFullYear(2999);
    expect(second.principal.expiresAt).toEqual(expiresAt);
    clock.advance(TTL - 1);
    expect(await present(text)).toMatchObject({ principal: { expiresAt } });
    clock.shift(60_000);
    expect(await present(text)).toEqual(invalid('expired'));
  });

  it('is refused at once after it was revoked, updated or rotated in this process', async () => {
    const made = setup();
    const keys = made.service.forTenant('acme');
    const [revoked, narrowed, replaced] = [
      await made.cached({ id: 'key_1' }),
      await made.cached({ id: 'key_2' }),
      await made.cached({ id: 'key_3' }),
    ];
    await keys.revoke('key_1');
    await keys.update('key_2', { scopes: ['audit:read'] });
    await keys.rotate('key_3', { immediate: true });
    expect(await made.present(revoked)).toEqual(invalid('revoked'));
    expect(await made.present(narrowed)).toMatchObject({ principal: { scopes: ['audit:read'] } });
    expect(await made.present(replaced)).toEqual(invalid('rotated'));
  });

  it('lives on in a process that is told nothing, for the time of the cache and no longer', async () => {
    const made = setup();
    const other = new KeyServices(made.store, { cache: CACHE_DEFAULTS }, made.clock);
    const text = await made.cached({ id: 'key_1' });
    await other.service.forTenant('acme').revoke('key_1');
    made.clock.advance(TTL);
    expect(await other.present(text)).toEqual(invalid('revoked'));
    expect(await made.present(text)).toEqual(AUTHENTICATED);
    made.clock.advance(1);
    expect(await made.present(text)).toEqual(invalid('revoked'));
  });
});

describe('a store that is down', () => {
  it('leaves known keys their time, denies all others at once, and is asked again when it is up', async () => {
    const { cached, memory, present, clock, store, recorded } = setup();
    const known = await cached();
    const other = await storedKey(memory);
    store.down = true;
    expect(await present(known)).toEqual(AUTHENTICATED);
    expect(await present(other)).toEqual(UNAVAILABLE);
    clock.advance(TTL - 1);
    expect(await present(known)).toEqual(AUTHENTICATED);
    clock.advance(2);
    expect(await present(known)).toEqual(UNAVAILABLE);
    expect(await present(withWrongSecret(known))).toEqual(UNAVAILABLE);
    expect(recorded.map((event) => [event.type, 'reason' in event && event.reason])).toEqual([
      ['store_failed', 'Error'],
      ['store_failed', 'Error'],
      ['store_failed', 'Error'],
    ]);
    store.down = false;
    expect(await present(known)).toEqual(AUTHENTICATED);
    expect(await present(other)).toEqual(AUTHENTICATED);
  });

  it('denies at once without a cache', async () => {
    const { memory, present, store } = setup({ cache: undefined });
    const text = await storedKey(memory);
    expect(await present(text)).toEqual(AUTHENTICATED);
    store.down = true;
    expect(await present(text)).toEqual(UNAVAILABLE);
    store.down = false;
    expect(await present(text)).toEqual(AUTHENTICATED);
  });

  it('is not remembered as a store without the key', async () => {
    const { memory, present, store } = setup();
    const text = await storedKey(memory);
    store.down = true;
    expect(await Promise.all([present(text), present(text)])).toEqual([UNAVAILABLE, UNAVAILABLE]);
    expect(store.lookUps).toBe(1);
    store.down = false;
    expect(await present(text)).toEqual(AUTHENTICATED);
  });

  it('accepts malformed keys no more than before', async () => {
    const { present, store } = setup();
    store.down = true;
    expect(await present(withWrongChecksum(composeKey()))).toEqual(invalid('bad_checksum'));
    expect(store.lookUps).toBe(0);
  });
});

describe('a store that answers late', () => {
  it('does not bring a key back that was revoked meanwhile', async () => {
    const made = setup();
    const text = await storedKey(made.memory, { id: 'key_1' });
    made.store.holding = true;
    const early = made.present(text);
    await settle();
    await made.service.forTenant('acme').revoke('key_1');
    made.store.holding = false;
    expect(await made.present(text)).toEqual(invalid('revoked'));
    made.store.held[0]?.();
    // It was put before the revocation, which had not been promised to anybody then.
    expect(await early).toEqual(AUTHENTICATED);
    expect(authenticate(made, text)).toEqual(invalid('revoked'));
    made.clock.advance(TTL + 1);
    expect(await made.present(text)).toEqual(invalid('revoked'));
  });

  it('does not bring a key back, if nobody asked between the revocation and the answer', async () => {
    const made = setup();
    const text = await storedKey(made.memory, { id: 'key_1' });
    made.store.holding = true;
    const early = made.present(text);
    await settle();
    await made.service.forTenant('acme').revoke('key_1');
    made.store.held[0]?.();
    await early;
    made.store.holding = false;
    expect(await made.present(text)).toEqual(invalid('revoked'));
  });

  it('gives each key its own record, in whatever order the answers come', async () => {
    const { memory, store, present } = setup();
    const texts = [
      await storedKey(memory, { id: 'key_1' }),
      await storedKey(memory, { id: 'key_2', tenantId: 'globex' }),
      await storedKey(memory, { id: 'key_3' }),
    ];
    store.holding = true;
    const waiting = texts.map((text) => present(text));
    await settle();
    for (const release of store.held.reverse()) {
      release();
      await settle();
    }
    const expected = [
      { principal: { keyId: 'key_1', tenantId: 'acme' } },
      { principal: { keyId: 'key_2', tenantId: 'globex' } },
      { principal: { keyId: 'key_3', tenantId: 'acme' } },
    ];
    expect(await Promise.all(waiting)).toMatchObject(expected);
    expect(await Promise.all(texts.map((text) => present(text)))).toMatchObject(expected);
    expect(store.lookUps).toBe(3);
  });
});

describe('a store that answers what it should not', () => {
  const mine = sampleKey({ id: 'key_1' });

  function withStore(answer: () => unknown): KeyServices & { readonly stub: StubStore } {
    const stub = new StubStore(answer);
    return Object.assign(new KeyServices(stub, { cache: CACHE_DEFAULTS }).recordEvents(), { stub });
  }

  it.each<[string, () => unknown]>([
    ['no record', () => ({ id: 'key_1' })],
    ['a date that is none', () => ({ ...mine.record, expiresAt: new Date(NaN) })],
    ['the record of another key', () => ({ ...sampleKey().record, digest: mine.record.digest })],
  ])('%s is remembered as no key, and is no longer when the record is sound', async (_what, wrong) => {
    let answer = wrong;
    const { present, stub, clock, recorded } = withStore(() => Promise.resolve(answer()));
    expect(await present(mine.text)).toEqual(invalid('malformed_record'));
    answer = () => mine.record;
    expect(await present(mine.text)).toEqual(invalid('malformed_record'));
    expect(stub.lookUps).toBe(1);
    expect(recorded).toMatchObject([{ type: 'record_refused' }]);
    clock.advance(NEGATIVE_TTL + 1);
    expect(await present(mine.text)).toEqual(AUTHENTICATED);
  });

  it.each(['id', 'tenantId', 'scopes', 'revokedAt', 'rotatedTo', 'metadata'] as const)(
    'a record whose %s throws is denied, is told of, and is read anew',
    async (field) => {
      const hostile = Object.defineProperty({ ...mine.record }, field, {
        get() {
          throw new Error(`a lazy column, ${mine.record.digest}`);
        },
      });
      let answer: ApiKeyRecord = hostile;
      const { present, recorded } = withStore(() => Promise.resolve(answer));
      expect(await present(mine.text)).toEqual(UNAVAILABLE);
      expect(recorded).toMatchObject([{ type: 'store_failed', reason: 'Error' }]);
      expect(JSON.stringify(recorded) + log.textOf()).not.toContain(mine.record.digest);
      answer = mine.record;
      expect(await present(mine.text)).toEqual(AUTHENTICATED);
    },
  );

  it('the first answer of a promise that resolves twice counts', async () => {
    const twice = {
      then(resolve: (value: unknown) => void) {
        resolve({ ...mine.record, revokedAt: new Date(0) });
        resolve(mine.record);
      },
    };
    const { present } = withStore(() => twice);
    expect(await present(mine.text)).toEqual(invalid('revoked'));
    expect(await present(mine.text)).toEqual(invalid('revoked'));
  });

  it('an answer that is changed afterwards changes nothing', async () => {
    const record = { ...sampleKey().record, locator: mine.record.locator, digest: mine.record.digest };
    const scopes = ['files:read'];
    const expiresAt = new Date('2026-06-02');
    const answer = { ...record, scopes, expiresAt };
    const { present } = withStore(() => Promise.resolve(answer));
    await present(mine.text);
    scopes.push('admin:*');
    expiresAt.setFullYear(2999);
    Object.assign(answer, { tenantId: 'globex' });
    expect(await present(mine.text)).toMatchObject({
      principal: { tenantId: 'acme', scopes: ['files:read'], expiresAt: new Date('2026-06-02') },
    });
  });

  describe('nothing at all', () => {
    beforeEach(() => {
      jest.useFakeTimers();
    });

    afterEach(() => {
      jest.useRealTimers();
    });

    it.each<[string, () => unknown]>([
      ['a promise', () => new Promise(() => undefined)],
      ['a thenable', () => ({ then: () => undefined })],
    ])(
      '%s that never settles is unavailable after three seconds, and the next request asks anew',
      async (_what, never) => {
        let answer = never;
        const { present, stub, recorded } = withStore(() => answer());
        const waiting = [present(mine.text), present(mine.text)];
        let answered = 0;
        for (const each of waiting) void each.then(() => (answered += 1));
        await jest.advanceTimersByTimeAsync(2_999);
        expect(answered).toBe(0);
        await jest.advanceTimersByTimeAsync(1);
        expect(await Promise.all(waiting)).toEqual([UNAVAILABLE, UNAVAILABLE]);
        expect(stub.lookUps).toBe(1);
        expect(recorded).toMatchObject([{ type: 'store_failed' }]);
        answer = () => Promise.resolve(mine.record);
        expect(await present(mine.text)).toEqual(AUTHENTICATED);
        expect(stub.lookUps).toBe(2);
      },
    );

    it('an answer after the deadline is not remembered', async () => {
      const answers: ((record: unknown) => void)[] = [];
      const { present, stub } = withStore(() => new Promise((resolve) => answers.push(resolve)));
      const first = present(mine.text);
      await jest.advanceTimersByTimeAsync(3_000);
      expect(await first).toEqual(UNAVAILABLE);
      answers[0]?.(mine.record);
      await jest.advanceTimersByTimeAsync(0);
      const second = present(mine.text);
      expect(stub.lookUps).toBe(2);
      answers[1]?.({ ...mine.record, revokedAt: new Date(0) });
      expect(await second).toEqual(invalid('revoked'));
    });
  });
});

describe('the use of a key', () => {
  const INTERVAL = 10_000;

  beforeEach(() => {
    jest.useFakeTimers();
  });

  afterEach(() => {
    jest.useRealTimers();
  });

  const lastUse = async ({ memory, service }: Setup, id: string): Promise<Date | undefined> =>
    (await memory.findById(service.forTenant('acme').tenantId, id))?.lastUsedAt;

  it('is written by nobody who asks, and once in an interval however often there was one', async () => {
    const made = setup();
    const text = await storedKey(made.memory, { id: 'key_1' });
    const other = await storedKey(made.memory, { id: 'key_2' });
    for (let count = 0; count < 50; count += 1) {
      await made.present(text);
      await made.present(other);
    }
    expect(made.store.writes).toBe(0);
    expect(await lastUse(made, 'key_1')).toBeUndefined();
    await jest.advanceTimersByTimeAsync(INTERVAL - 1);
    expect(made.store.writes).toBe(0);
    await jest.advanceTimersByTimeAsync(1);
    expect(made.store.calls.filter((name) => name !== 'findByLocator')).toEqual(['recordUses']);
    expect([await lastUse(made, 'key_1'), await lastUse(made, 'key_2')]).toEqual([made.clock.in(0), made.clock.in(0)]);
    await jest.advanceTimersByTimeAsync(10 * INTERVAL);
    expect(made.store.writes).toBe(1);
  });

  it('is the last one of the interval', async () => {
    const made = setup();
    const text = await made.cached({ id: 'key_1' });
    made.clock.advance(5_000);
    await made.present(text);
    await jest.advanceTimersByTimeAsync(INTERVAL);
    expect(await lastUse(made, 'key_1')).toEqual(made.clock.in(0));
  });

  it.each(['onModuleDestroy', 'onApplicationShutdown'] as const)('is written by %s', async (hook) => {
    const made = setup();
    await made.cached({ id: 'key_1' });
    await made.writes[hook]();
    expect(await lastUse(made, 'key_1')).toEqual(made.clock.in(0));
    await jest.advanceTimersByTimeAsync(INTERVAL);
    expect(made.store.writes).toBe(1);
  });

  it.each<[string, (made: Setup) => Promise<string>]>([
    ['expired', async ({ memory, clock }) => storedKey(memory, { id: 'key_1', expiresAt: clock.in(0) })],
    ['revoked', async ({ memory }) => storedKey(memory, { id: 'key_1', revokedAt: new Date(0) })],
    ['not allowed from here', async ({ memory }) => storedKey(memory, { id: 'key_1', allowedIps: ['203.0.113.7'] })],
    ['wrong', async ({ memory }) => withWrongSecret(await storedKey(memory, { id: 'key_1' }))],
    ['of another environment', async ({ memory }) => storedKey(memory, { id: 'key_1', environment: 'test' })],
  ])('is none where the key was denied: %s', async (_why, denied) => {
    const made = setup();
    expect(await made.present(await denied(made))).toMatchObject({ status: 'invalid' });
    await jest.advanceTimersByTimeAsync(INTERVAL);
    await made.writes.onApplicationShutdown();
    expect(made.store.writes).toBe(0);
    expect(await lastUse(made, 'key_1')).toBeUndefined();
  });

  it('that cannot be written changes no answer, is told of, and is written later', async () => {
    const made = setup();
    const text = await made.cached({ id: 'key_1' });
    const { clock, store } = made;
    const recordUses = jest.spyOn(store, 'recordUses').mockRejectedValueOnce(new TypeError('of a secret kind'));
    await jest.advanceTimersByTimeAsync(INTERVAL);
    expect(made.recorded).toEqual([{ type: 'deferred_write_failed', at: clock.in(0), reason: 'TypeError' }]);
    expect(authenticate(made, text)).toEqual(AUTHENTICATED);
    await jest.advanceTimersByTimeAsync(INTERVAL);
    expect(recordUses).toHaveBeenCalledTimes(2);
    expect(await lastUse(made, 'key_1')).toEqual(clock.in(0));
  });

  it('is asked of no store that cannot write', async () => {
    const { text, record } = sampleKey();
    const services = new KeyServices(new StubStore(() => Promise.resolve(record))).recordEvents();
    expect(await services.present(text)).toEqual(AUTHENTICATED);
    expect(jest.getTimerCount()).toBe(0);
    await services.writes.onApplicationShutdown();
    expect(services.recorded).toEqual([]);
  });
});
