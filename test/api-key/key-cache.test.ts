import { describe, expect, it, jest } from '@jest/globals';
import fc from 'fast-check';
import { KeyCache, type KeyCacheOptions, type StoredKey } from '../../src/api-key/key-cache.js';
import { readRecord, type VerifiableRecord } from '../../src/api-key/api-key-record.js';
import { CACHE_DEFAULTS } from '../support/key-services.js';
import { sampleKey } from '../support/sample-key.js';
import { TestClock } from '../support/test-clock.js';

const ABSENT: StoredKey = { status: 'absent' };
const REFUSED: StoredKey = { status: 'refused' };

function soundRecord(id: string): VerifiableRecord {
  const record = readRecord(sampleKey({ id }).record);
  if (record === undefined) throw new Error('The sample is not sound.');
  return record;
}

function found(id: string): StoredKey {
  return { status: 'found', record: soundRecord(id) };
}

interface Setup {
  readonly cache: KeyCache;
  readonly clock: TestClock;
  /** The answers that wait to be given, in the order of the questions. */
  readonly asked: { readonly locator: string; answer(stored: StoredKey): void; fail(error: Error): void }[];
  readonly find: (locator: string) => StoredKey | Promise<StoredKey>;
}

/** @param options `null`: no cache */
function setup(options: Partial<KeyCacheOptions> | null = {}): Setup {
  const clock = new TestClock();
  const cache = new KeyCache(options === null ? undefined : { ...CACHE_DEFAULTS, ...options }, clock);
  const asked: Setup['asked'] = [];
  const ask = (locator: string): Promise<StoredKey> =>
    new Promise((answer, fail) => {
      asked.push({ locator, answer, fail });
    });
  return { cache, clock, asked, find: (locator) => cache.find(locator, ask) };
}

/** Asks, and has the store answer. */
async function fill({ find, asked }: Setup, locator: string, stored: StoredKey): Promise<StoredKey> {
  const answer = find(locator);
  asked.at(-1)?.answer(stored);
  return answer;
}

describe('an answer', () => {
  it.each([
    ['a record', found('key_1'), 30_000],
    ['that there is none', ABSENT, 5_000],
    ['that its record is not sound', REFUSED, 5_000],
  ])('%s is believed for its time and no longer', async (_what, stored, ttl) => {
    const made = setup();
    await fill(made, 'a', stored);
    made.clock.advance(ttl - 1);
    expect(made.find('a')).toBe(stored);
    made.clock.advance(2);
    expect(made.find('a')).toBeInstanceOf(Promise);
    expect(made.asked).toHaveLength(2);
  });

  it('counts its time from the question, however late it comes', async () => {
    const made = setup();
    const answer = made.find('a');
    made.clock.advance(29_000);
    made.asked[0]?.answer(found('key_1'));
    await answer;
    made.clock.advance(1_001);
    expect(made.find('a')).toBeInstanceOf(Promise);
  });

  it.each([-86_400_000, 86_400_000])('keeps its time when the clock is set by %i ms', async (milliseconds) => {
    const made = setup();
    await fill(made, 'a', found('key_1'));
    made.clock.shift(milliseconds);
    expect(made.find('a')).not.toBeInstanceOf(Promise);
    made.clock.advance(30_001);
    expect(made.find('a')).toBeInstanceOf(Promise);
  });

  it('is not remembered without a cache', async () => {
    const clock = new TestClock();
    const cache = new KeyCache(undefined, clock);
    const ask = jest.fn(() => Promise.resolve(found('key_1')));
    await cache.find('a', ask);
    await cache.find('a', ask);
    expect(ask).toHaveBeenCalledTimes(2);
  });

  it.each([{ ttl: 0 }, { negativeTtl: 0 }])('is not remembered for no time: %j', async (options) => {
    const made = setup(options);
    await fill(made, 'a', 'ttl' in options ? found('key_1') : ABSENT);
    expect(made.find('a')).toBeInstanceOf(Promise);
  });
});

describe('a question', () => {
  it('is put once for all who wait', async () => {
    const { find, asked } = setup();
    const waiting = Array.from({ length: 100 }, () => find('a'));
    expect(asked).toHaveLength(1);
    const stored = found('key_1');
    asked[0]?.answer(stored);
    expect(new Set(await Promise.all(waiting.map(async (one) => one)))).toEqual(new Set([stored]));
  });

  it('is put once for all who wait, also without a cache', () => {
    const { find, asked } = setup(null);
    void find('a');
    void find('a');
    void find('b');
    expect(asked.map(({ locator }) => locator)).toEqual(['a', 'b']);
  });

  it.each<[string, Partial<KeyCacheOptions> | null, number]>([
    ['that is older than an answer may be', { ttl: 200 }, 201],
    ['without a cache', null, 1],
  ])('is put again by who comes later than to one %s', (_what, options, later) => {
    const { find, asked, clock } = setup(options);
    void find('a');
    clock.advance(later);
    void find('a');
    expect(asked).toHaveLength(2);
  });

  it('that fails fails for all who wait, and is put again by the next', async () => {
    const { find, asked } = setup();
    const waiting = [find('a'), find('a')];
    const down = new Error('down');
    asked[0]?.fail(down);
    await expect(Promise.allSettled(waiting.map(async (one) => one))).resolves.toEqual([
      { status: 'rejected', reason: down },
      { status: 'rejected', reason: down },
    ]);
    void find('a');
    expect(asked).toHaveLength(2);
  });
});

describe('a key that was forgotten', () => {
  it('is asked for again', async () => {
    const made = setup();
    await fill(made, 'a', found('key_1'));
    await fill(made, 'b', ABSENT);
    made.cache.invalidate(['a', 'b', 'never seen']);
    expect([made.find('a'), made.find('b')]).toEqual([expect.any(Promise), expect.any(Promise)]);
  });

  it.each<[string, (cache: KeyCache) => void]>([
    [
      'by its locator',
      (cache) => {
        cache.invalidate(['a']);
      },
    ],
    [
      'with all others',
      (cache) => {
        cache.reset();
      },
    ],
  ])('is not brought back by an answer that was asked for before (%s)', async (_how, forget) => {
    const { cache, find, asked } = setup();
    const early = find('a');
    forget(cache);
    const late = find('a');
    expect(asked).toHaveLength(2);
    const [old, current] = [found('before'), found('after')];
    asked[1]?.answer(current);
    await late;
    asked[0]?.answer(old);
    expect(await early).toBe(old);
    expect(find('a')).toBe(current);
  });

  it('is not brought back, whichever of the answers comes first', async () => {
    const { cache, find, asked } = setup();
    const early = find('a');
    cache.invalidate(['a']);
    asked[0]?.answer(found('before'));
    await early;
    expect(find('a')).toBeInstanceOf(Promise);
    expect(asked).toHaveLength(2);
  });

  it('is not affected by a failure that was asked for before', async () => {
    const { cache, find, asked } = setup();
    const early = find('a');
    cache.invalidate(['a']);
    const late = find('a');
    asked[0]?.fail(new Error('down'));
    await expect(early).rejects.toThrow('down');
    void find('a');
    expect(asked).toHaveLength(2);
    asked[1]?.answer(ABSENT);
    await late;
  });

  it('never comes back, in any order of questions, answers and messages', async () => {
    const step = fc.oneof(
      fc.record({ do: fc.constant('find' as const) }),
      fc.record({ do: fc.constant('change' as const) }),
      fc.record({ do: fc.constant('answer' as const), which: fc.nat(20) }),
    );
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 40 }), async (steps) => {
        const { cache, find, asked } = setup();
        let version = 0;
        // What a question reads is what the store has when it is put.
        const read: StoredKey[] = [];
        for (const next of steps) {
          if (next.do === 'change') {
            version += 1;
            cache.invalidate(['a']);
          } else if (next.do === 'find') {
            const answer = find('a');
            while (read.length < asked.length) read.push(found(`version ${version}`));
            if (!(answer instanceof Promise)) {
              expect(answer).toMatchObject({ record: { id: `version ${version}` } });
            }
          } else if (asked.length > 0) {
            const index = next.which % asked.length;
            asked[index]?.answer(read[index] ?? ABSENT);
            await new Promise((resolve) => setImmediate(resolve));
          }
        }
      }),
    );
  });
});

describe('memory', () => {
  it('is bounded, and a flood of unknown keys pushes out no known one', async () => {
    const made = setup({ maxEntries: 10 });
    const known = found('key_1');
    await fill(made, 'known', known);
    for (let index = 0; index < 1_000; index += 1) await fill(made, `unknown ${index}`, ABSENT);
    expect(made.find('known')).toBe(known);
    const remembered = Array.from({ length: 1_000 }, (_, index) => made.find(`unknown ${index}`));
    expect(remembered.filter((stored) => !(stored instanceof Promise))).toHaveLength(10);
  });

  it('holds the known ones that were used last', async () => {
    const made = setup({ maxEntries: 2 });
    for (const locator of ['a', 'b']) await fill(made, locator, found(locator));
    void made.find('a');
    await fill(made, 'c', found('c'));
    expect(made.find('a')).not.toBeInstanceOf(Promise);
    expect(made.find('b')).toBeInstanceOf(Promise);
  });
});
