import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { BatchWriter } from '../../src/api-key/batch-writer.js';

const INTERVAL = 10_000;

type Write = (items: readonly (readonly [string, number])[]) => Promise<void>;

let write: jest.Mock<Write>;
let onError: jest.Mock<(error: unknown) => void>;

beforeEach(() => {
  jest.useFakeTimers();
  write = jest.fn<Write>(() => Promise.resolve());
  onError = jest.fn();
});

afterEach(() => {
  jest.useRealTimers();
});

function writer(maxWaiting = 100): BatchWriter<number> {
  return new BatchWriter({ interval: INTERVAL, maxWaiting, write, onError });
}

describe('what is added', () => {
  it('is written together, once in an interval, the newest of each key', async () => {
    const batch = writer();
    batch.add('a', 1);
    batch.add('b', 2);
    batch.add('a', 3);
    await jest.advanceTimersByTimeAsync(INTERVAL - 1);
    expect(write).not.toHaveBeenCalled();
    await jest.advanceTimersByTimeAsync(1);
    expect(write.mock.calls).toEqual([
      [
        [
          ['a', 3],
          ['b', 2],
        ],
      ],
    ]);
    await jest.advanceTimersByTimeAsync(10 * INTERVAL);
    expect(write).toHaveBeenCalledTimes(1);
  });

  it('is written with the next batch if it came during a write', async () => {
    const batch = writer();
    batch.add('a', 1);
    write.mockImplementationOnce(() => {
      batch.add('a', 2);
      return Promise.resolve();
    });
    await jest.advanceTimersByTimeAsync(2 * INTERVAL);
    expect(write.mock.calls).toEqual([[[['a', 1]]], [[['a', 2]]]]);
  });

  it('is written at once by flush, which waits for a write that is under way', async () => {
    const batch = writer();
    let finish: () => void = () => undefined;
    write.mockImplementationOnce(() => new Promise((resolve) => (finish = resolve)));
    batch.add('a', 1);
    const first = batch.flush();
    await jest.advanceTimersByTimeAsync(0);
    batch.add('b', 2);
    const second = batch.flush();
    await jest.advanceTimersByTimeAsync(0);
    expect(write.mock.calls).toEqual([[[['a', 1]]]]);
    finish();
    await Promise.all([first, second]);
    expect(write.mock.calls).toEqual([[[['a', 1]]], [[['b', 2]]]]);
  });

  it('holds the process open for nobody', () => {
    jest.useRealTimers();
    const timers = jest.spyOn(globalThis, 'setTimeout');
    writer().add('a', 1);
    const timer = timers.mock.results[0]?.value as NodeJS.Timeout;
    expect(timer.hasRef()).toBe(false);
    clearTimeout(timer);
    timers.mockRestore();
  });
});

describe('a write that fails', () => {
  const down = new Error('down');

  it('is told of, and tried again with what came since', async () => {
    const batch = writer();
    write.mockRejectedValueOnce(down);
    batch.add('a', 1);
    batch.add('b', 2);
    await jest.advanceTimersByTimeAsync(INTERVAL);
    expect(onError.mock.calls).toEqual([[down]]);
    batch.add('a', 3);
    await jest.advanceTimersByTimeAsync(INTERVAL);
    expect(write.mock.calls).toEqual([
      [
        [
          ['a', 1],
          ['b', 2],
        ],
      ],
      [
        [
          ['a', 3],
          ['b', 2],
        ],
      ],
    ]);
  });

  it('gives way to what came during it', async () => {
    const batch = writer();
    write.mockImplementationOnce(() => {
      batch.add('a', 9);
      return Promise.reject(down);
    });
    batch.add('a', 1);
    await jest.advanceTimersByTimeAsync(2 * INTERVAL);
    expect(write.mock.calls).toEqual([[[['a', 1]]], [[['a', 9]]]]);
  });

  it('does not make flush reject', async () => {
    const batch = writer();
    write.mockRejectedValue(down);
    batch.add('a', 1);
    await expect(batch.flush()).resolves.toBeUndefined();
  });

  it('lets memory grow no further than the limit', async () => {
    const batch = writer(2);
    write.mockRejectedValue(down);
    for (let index = 0; index < 100; index += 1) batch.add(`key ${index}`, index);
    batch.add('key 0', 7);
    await batch.flush();
    expect(write.mock.calls).toEqual([
      [
        [
          ['key 0', 7],
          ['key 1', 1],
        ],
      ],
    ]);
  });
});
