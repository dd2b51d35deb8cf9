import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { withDeadline } from '../../src/api-key/deadline.js';

describe('withDeadline', () => {
  beforeEach(() => {
    jest.useFakeTimers();
  });

  afterEach(() => {
    jest.useRealTimers();
  });

  it('settles as the promise does, and leaves no timer', async () => {
    await expect(withDeadline(Promise.resolve('answer'), 1_000)).resolves.toBe('answer');
    await expect(withDeadline(Promise.reject(new Error('no')), 1_000)).rejects.toThrow('no');
    expect(jest.getTimerCount()).toBe(0);
  });

  it('rejects when the time is over', async () => {
    const late = withDeadline(new Promise(() => undefined), 1_000);
    const outcome = expect(late).rejects.toThrow('No answer within 1000 ms.');
    await jest.advanceTimersByTimeAsync(1_000);
    await outcome;
  });

  it('does not reject one moment before (control)', async () => {
    const answer = new Promise<string>((resolve) => {
      setTimeout(() => {
        resolve('in time');
      }, 999);
    });
    const outcome = expect(withDeadline(answer, 1_000)).resolves.toBe('in time');
    await jest.advanceTimersByTimeAsync(1_000);
    await outcome;
  });

  it('ignores what comes later', async () => {
    const answer = new Promise((_resolve, reject) => {
      setTimeout(() => {
        reject(new Error('later'));
      }, 2_000);
    });
    const outcome = expect(withDeadline(answer, 1_000)).rejects.toThrow('No answer');
    await jest.advanceTimersByTimeAsync(3_000);
    await outcome;
  });

  it('makes an error of whatever the promise rejects with', async () => {
    // eslint-disable-next-line @typescript-eslint/prefer-promise-reject-errors -- the case
    const odd = Promise.reject({ odd: true });
    await expect(withDeadline(odd, 1_000)).rejects.toBeInstanceOf(Error);
  });
});
