import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { readRecord, type VerifiableRecord } from '../../src/api-key/api-key-record.js';
import { ApiKeyStore, type DigestChange, type KeyUse } from '../../src/api-key/api-key.store.js';
import { DeferredKeyWrites } from '../../src/api-key/deferred-key-writes.service.js';
import { InMemoryApiKeyStore } from '../../src/api-key/in-memory-api-key.store.js';
import { KeyCache } from '../../src/api-key/key-cache.js';
import type { KeyfenceEvent } from '../../src/events/keyfence-event.js';
import { KeyfenceEvents } from '../../src/events/keyfence-events.service.js';
import { StubStore } from '../support/counting-store.js';
import { sampleKey } from '../support/sample-key.js';
import { TestClock } from '../support/test-clock.js';

const INTERVAL = 10_000;
const MAX_WAITING = 10_000;
const NEW = { digest: 'b'.repeat(64), digestVersion: 'hmac-sha256:v1' };

interface Setup {
  readonly writes: DeferredKeyWrites;
  readonly clock: TestClock;
  readonly recorded: KeyfenceEvent[];
  readonly invalidate: jest.Mock<KeyCache['invalidate']>;
  readonly recordUses: jest.Mock<InMemoryApiKeyStore['recordUses']>;
  readonly replaceDigests: jest.Mock<InMemoryApiKeyStore['replaceDigests']>;
}

function setup(store: ApiKeyStore = new InMemoryApiKeyStore()): Setup {
  const clock = new TestClock();
  const cache = new KeyCache(undefined, clock);
  const events = new KeyfenceEvents();
  const recorded: KeyfenceEvent[] = [];
  events.stream.subscribe((event) => recorded.push(event));
  const recordUses = jest.fn<InMemoryApiKeyStore['recordUses']>(() => Promise.resolve());
  const replaceDigests = jest.fn<InMemoryApiKeyStore['replaceDigests']>(() => Promise.resolve());
  const invalidate = jest.fn<KeyCache['invalidate']>();
  Object.assign(store, { recordUses, replaceDigests });
  Object.assign(cache, { invalidate });
  const writes = new DeferredKeyWrites(store, clock, cache, events);
  return { writes, clock, recorded, invalidate, recordUses, replaceDigests };
}

function recordOf(id: string): VerifiableRecord {
  const record = readRecord(sampleKey({ id, locator: `at-${id}`, digest: 'a'.repeat(64) }).record);
  if (record === undefined) throw new Error('The sample is no sound record.');
  return record;
}

function itemsOf(write: { readonly mock: { readonly calls: readonly (readonly unknown[])[] } }): unknown[] {
  return write.mock.calls.map(([items]) => items);
}

const A = recordOf('a');
const B = recordOf('b');

beforeEach(() => {
  jest.useFakeTimers();
});

afterEach(() => {
  jest.useRealTimers();
});

describe('a use', () => {
  it('is written with those of other keys, once in an interval, as the last of its key', async () => {
    const { writes, clock, recordUses } = setup();
    writes.used(A);
    writes.used(B);
    const first = clock.in(0);
    clock.advance(1_000);
    writes.used(A);
    expect(recordUses).not.toHaveBeenCalled();
    await jest.advanceTimersByTimeAsync(INTERVAL);
    const written: KeyUse[] = [
      { id: 'a', at: clock.in(0) },
      { id: 'b', at: first },
    ];
    expect(itemsOf(recordUses)).toEqual([written]);
    await jest.advanceTimersByTimeAsync(INTERVAL);
    expect(recordUses).toHaveBeenCalledTimes(1);
  });

  it('is dropped where ten thousand keys wait, and not where the key waits already', async () => {
    const { writes, clock, recordUses } = setup();
    for (let index = 0; index < MAX_WAITING + 5; index += 1) writes.used({ ...A, id: `key_${index}` });
    clock.advance(1);
    writes.used({ ...A, id: 'key_0' });
    await writes.onApplicationShutdown();
    const [written] = itemsOf(recordUses) as KeyUse[][];
    expect(written).toHaveLength(MAX_WAITING);
    expect(written?.find(({ id }) => id === 'key_0')).toEqual({ id: 'key_0', at: clock.in(0) });
  });

  it('keeps the process from ending for nobody', () => {
    jest.useRealTimers();
    const timers = jest.spyOn(globalThis, 'setTimeout');
    try {
      setup().writes.used(A);
      const timer = timers.mock.results[0]?.value as NodeJS.Timeout;
      expect(timer.hasRef()).toBe(false);
      clearTimeout(timer);
    } finally {
      timers.mockRestore();
    }
  });
});

describe('an outdated digest', () => {
  it('is replaced once, by one that is made once, and nothing else is handed to the store', async () => {
    const { writes, replaceDigests, invalidate } = setup();
    const make = jest.fn(() => NEW);
    for (let count = 0; count < 3; count += 1) writes.outdated(A, make);
    writes.outdated(B, make);
    expect(make).toHaveBeenCalledTimes(2);
    await jest.advanceTimersByTimeAsync(INTERVAL);
    const changes: DigestChange[] = [
      { id: 'a', from: A.digest, ...NEW },
      { id: 'b', from: B.digest, ...NEW },
    ];
    expect(itemsOf(replaceDigests)).toEqual([changes]);
    expect(invalidate.mock.calls).toEqual([[['at-a', 'at-b']]]);
  });

  it('is forgotten by the cache after it was replaced and not before', async () => {
    const { writes, replaceDigests, invalidate } = setup();
    let written: () => void = () => undefined;
    replaceDigests.mockImplementationOnce(() => new Promise((resolve) => (written = resolve)));
    writes.outdated(A, () => NEW);
    await jest.advanceTimersByTimeAsync(INTERVAL);
    expect(replaceDigests).toHaveBeenCalledTimes(1);
    expect(invalidate).not.toHaveBeenCalled();
    written();
    await jest.advanceTimersByTimeAsync(0);
    expect(invalidate).toHaveBeenCalledTimes(1);
  });

  it('that could not be replaced stays cached, and is tried again', async () => {
    const { writes, replaceDigests, invalidate, recorded } = setup();
    replaceDigests.mockRejectedValueOnce(new RangeError('down'));
    writes.outdated(A, () => NEW);
    await jest.advanceTimersByTimeAsync(INTERVAL);
    expect(invalidate).not.toHaveBeenCalled();
    expect(recorded).toMatchObject([{ type: 'deferred_write_failed', reason: 'RangeError' }]);
    await jest.advanceTimersByTimeAsync(INTERVAL);
    expect(replaceDigests).toHaveBeenCalledTimes(2);
    expect(invalidate).toHaveBeenCalledTimes(1);
  });
});

describe('a write that fails', () => {
  it.each<[string, () => Promise<void>, string]>([
    ['rejects', () => Promise.reject(new TypeError('postgres://user:password@db')), 'TypeError'],
    [
      'throws',
      () => {
        throw new TypeError('postgres://user:password@db');
      },
      'TypeError',
    ],
    // eslint-disable-next-line @typescript-eslint/prefer-promise-reject-errors -- the case
    ['rejects with what is no error', () => Promise.reject('postgres://user:password@db'), 'Error'],
  ])('and %s is an event with its class and nothing that it says', async (_how, fail, reason) => {
    const { writes, clock, recordUses, recorded } = setup();
    recordUses.mockImplementationOnce(fail);
    writes.used(A);
    await expect(writes.onModuleDestroy()).resolves.toBeUndefined();
    expect(recorded).toEqual([{ type: 'deferred_write_failed', at: clock.in(0), reason }]);
    await writes.onApplicationShutdown();
    expect(itemsOf(recordUses)).toEqual([[{ id: 'a', at: clock.in(0) }], [{ id: 'a', at: clock.in(0) }]]);
  });

  it('by not ending holds up the end of the application for three seconds and no longer', async () => {
    const { writes, recordUses, recorded } = setup();
    recordUses.mockImplementation(() => new Promise(() => undefined));
    writes.used(A);
    let ended = false;
    const end = writes.onModuleDestroy().then(() => (ended = true));
    await jest.advanceTimersByTimeAsync(2_999);
    expect(ended).toBe(false);
    await jest.advanceTimersByTimeAsync(1);
    await end;
    expect(recorded).toMatchObject([{ type: 'deferred_write_failed' }]);
  });

  it('does not hold up a write of the other kind', async () => {
    const { writes, recordUses, replaceDigests } = setup();
    recordUses.mockRejectedValue(new Error('down'));
    writes.used(A);
    writes.outdated(A, () => NEW);
    await jest.advanceTimersByTimeAsync(INTERVAL);
    expect(replaceDigests).toHaveBeenCalledTimes(1);
  });
});

it.each(['onModuleDestroy', 'onApplicationShutdown'] as const)(
  '%s writes both, and nothing where nothing waits',
  async (hook) => {
    const { writes, recordUses, replaceDigests } = setup();
    await writes[hook]();
    expect([recordUses, replaceDigests].map((write) => write.mock.calls.length)).toEqual([0, 0]);
    writes.used(A);
    writes.outdated(B, () => NEW);
    await writes[hook]();
    expect([recordUses, replaceDigests].map((write) => write.mock.calls.length)).toEqual([1, 1]);
  },
);

it('a store that only looks keys up is written nothing, and no digest is made for it', async () => {
  const { writes, recordUses, replaceDigests, recorded } = setup(new StubStore(() => null));
  const make = jest.fn(() => NEW);
  writes.used(A);
  writes.outdated(A, make);
  await jest.advanceTimersByTimeAsync(INTERVAL);
  await writes.onApplicationShutdown();
  expect(make).not.toHaveBeenCalled();
  expect([recordUses, replaceDigests].map((write) => write.mock.calls.length)).toEqual([0, 0]);
  expect(recorded).toEqual([]);
});
