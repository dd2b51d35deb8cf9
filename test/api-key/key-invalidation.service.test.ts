import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { Logger } from '@nestjs/common';
import { InMemoryApiKeyStore } from '../../src/api-key/in-memory-api-key.store.js';
import {
  InProcessInvalidationBus,
  KeyInvalidationBus,
  type InvalidationListener,
} from '../../src/api-key/key-invalidation-bus.js';
import { CapturedLog } from '../support/captured-log.js';
import { CACHE_DEFAULTS, KeyServices } from '../support/key-services.js';
import { storedKey } from '../support/sample-key.js';

/** A bus whose `publish` does what the test says. */
class StubBus extends KeyInvalidationBus {
  listener: InvalidationListener | undefined;
  readonly published: (readonly string[])[] = [];

  constructor(private readonly send: () => unknown = () => Promise.resolve()) {
    super();
  }

  publish(locators: readonly string[]): Promise<void> {
    this.published.push(locators);
    return this.send() as Promise<void>;
  }

  subscribe(listener: InvalidationListener): Promise<() => Promise<void>> {
    this.listener = listener;
    return Promise.resolve(() => {
      this.listener = undefined;
      return Promise.resolve();
    });
  }
}

let log: CapturedLog;

beforeEach(() => {
  log = new CapturedLog();
  Logger.overrideLogger(log);
});

afterEach(() => {
  Logger.overrideLogger(false);
  jest.useRealTimers();
});

async function processOf(store: InMemoryApiKeyStore, bus?: KeyInvalidationBus): Promise<KeyServices> {
  const services = new KeyServices(store, { cache: CACHE_DEFAULTS, bus }).recordEvents();
  await services.invalidation.onModuleInit();
  return services;
}

const AUTHENTICATED = { status: 'authenticated' };
const REVOKED = { status: 'invalid', reason: 'revoked' };

describe('a revocation', () => {
  it('reaches another process through the bus, and without it when its cache gives the key up', async () => {
    const store = new InMemoryApiKeyStore();
    const bus = new InProcessInvalidationBus();
    const [here, there, alone] = [await processOf(store, bus), await processOf(store, bus), await processOf(store)];
    const text = await storedKey(store, { id: 'key_1' });
    for (const each of [here, there, alone]) expect(await each.present(text)).toMatchObject(AUTHENTICATED);
    await here.service.forTenant('acme').revoke('key_1');
    expect(await here.present(text)).toMatchObject(REVOKED);
    expect(await there.present(text)).toMatchObject(REVOKED);
    expect(await alone.present(text)).toMatchObject(AUTHENTICATED);
    alone.clock.advance(CACHE_DEFAULTS.ttl + 1);
    expect(await alone.present(text)).toMatchObject(REVOKED);
  });

  it('is told of again by whoever revokes again', async () => {
    const store = new InMemoryApiKeyStore();
    const bus = new StubBus();
    const { service } = await processOf(store, bus);
    await storedKey(store, { id: 'key_1', locator: 'at-1' });
    await service.forTenant('acme').revoke('key_1');
    await service.forTenant('acme').revoke('key_1');
    expect(bus.published).toEqual([['at-1'], ['at-1']]);
  });

  it('is told of for each key that a rotation touches', async () => {
    const store = new InMemoryApiKeyStore();
    const bus = new StubBus();
    const { service } = await processOf(store, bus);
    await storedKey(store, { id: 'key_1', locator: 'at-1' });
    const { record } = await service.forTenant('acme').rotate('key_1');
    expect(bus.published).toEqual([['at-1', record.locator]]);
  });
});

describe('a bus that fails', () => {
  it.each<[string, () => unknown, string]>([
    ['rejects', () => Promise.reject(new TypeError('redis://user:password@cache')), 'TypeError'],
    [
      'throws',
      () => {
        throw new TypeError('redis://user:password@cache');
      },
      'TypeError',
    ],
    // eslint-disable-next-line @typescript-eslint/prefer-promise-reject-errors -- the case
    ['rejects with what is no error', () => Promise.reject('redis://user:password@cache'), 'Error'],
  ])('and %s keeps no revocation from this process, and is told of by its class', async (_how, send, reason) => {
    const store = new InMemoryApiKeyStore();
    const made = await processOf(store, new StubBus(send));
    const text = await storedKey(store, { id: 'key_1' });
    await made.present(text);
    expect(await made.service.forTenant('acme').revoke('key_1')).toMatchObject({ id: 'key_1' });
    expect(await made.present(text)).toMatchObject(REVOKED);
    expect(made.recorded).toEqual([
      { type: 'invalidation_failed', at: made.clock.in(0), reason },
      expect.objectContaining({ type: 'key_revoked' }),
    ]);
    expect(log.textOf('error')).toContain(reason);
    expect(log.textOf() + JSON.stringify(made.recorded)).not.toContain('password');
  });

  it('by not answering is waited for a second, while this process refuses the key already', async () => {
    const store = new InMemoryApiKeyStore();
    const made = await processOf(store, new StubBus(() => new Promise(() => undefined)));
    const text = await storedKey(store, { id: 'key_1' });
    await made.present(text);
    jest.useFakeTimers();
    let revoked = false;
    const revocation = made.service
      .forTenant('acme')
      .revoke('key_1')
      .then(() => (revoked = true));
    await jest.advanceTimersByTimeAsync(999);
    expect(revoked).toBe(false);
    expect(await made.present(text)).toMatchObject(REVOKED);
    await jest.advanceTimersByTimeAsync(1);
    await revocation;
    expect(made.recorded).toMatchObject([{ type: 'invalidation_failed' }, { type: 'key_revoked' }]);
  });
});

describe('what a bus says', () => {
  it('makes the cache forget what it names, or everything, and grants nothing', async () => {
    const store = new InMemoryApiKeyStore();
    const bus = new StubBus();
    const { present } = await processOf(store, bus);
    const find = jest.spyOn(store, 'findByLocator');
    const one = await storedKey(store, { revokedAt: new Date(0) });
    const two = await storedKey(store);
    const locatorOf = (text: string): string => text.split('_')[1] ?? '';
    const asked = async (): Promise<number> => {
      find.mockClear();
      expect(await present(one)).toMatchObject(REVOKED);
      expect(await present(two)).toMatchObject(AUTHENTICATED);
      return find.mock.calls.length;
    };
    expect(await asked()).toBe(2);
    expect(await asked()).toBe(0);
    bus.listener?.invalidate([locatorOf(one)]);
    expect(await asked()).toBe(1);
    bus.listener?.reset();
    expect(await asked()).toBe(2);
    bus.listener?.invalidate([]);
    expect(await asked()).toBe(0);
  });
});

it('listens while the application lives, and no longer', async () => {
  const bus = new StubBus();
  const { invalidation } = await processOf(new InMemoryApiKeyStore(), bus);
  expect(bus.listener).toBeDefined();
  await invalidation.onApplicationShutdown();
  expect(bus.listener).toBeUndefined();
});

it('needs no bus', async () => {
  const { invalidation, recorded } = await processOf(new InMemoryApiKeyStore());
  await expect(invalidation.invalidate(['a'])).resolves.toBeUndefined();
  await expect(invalidation.onApplicationShutdown()).resolves.toBeUndefined();
  expect(recorded).toEqual([]);
});
