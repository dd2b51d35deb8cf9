import { beforeEach, describe, expect, it, jest } from '@jest/globals';
import { filter, map, mergeMap, share, Subject, type Observable } from 'rxjs';
import { IsolatedObservable } from '../../src/events/isolated-observable.js';

const failure = new Error('the listener failed');

let subject: Subject<number>;
let onError: jest.Mock<(error: unknown) => void>;
let stream: Observable<number>;

beforeEach(() => {
  subject = new Subject();
  onError = jest.fn();
  stream = new IsolatedObservable<number>(onError, (subscriber) => subject.subscribe(subscriber));
});

function reject(): Promise<never> {
  return Promise.reject(failure);
}

function fail(): never {
  throw failure;
}

describe('a listener that fails', () => {
  it.each<[string, (stream: Observable<number>) => unknown]>([
    ['as a function', (source) => source.subscribe(fail)],
    ['as an observer', (source) => source.subscribe({ next: fail })],
    [
      'behind operators',
      (source) =>
        source
          .pipe(
            filter((n) => n > 0),
            map((n) => `${n}`),
          )
          .subscribe(fail),
    ],
    ['behind share()', (source) => source.pipe(share()).subscribe(fail)],
    ['in an operator', (source) => source.pipe(map(fail)).subscribe()],
    ['in an operator, with a listener', (source) => source.pipe(map(fail)).subscribe(() => undefined)],
    ['in an inner observable', (source) => source.pipe(mergeMap(() => Promise.reject(failure))).subscribe()],
    // eslint-disable-next-line @typescript-eslint/no-misused-promises -- the case
    ['by rejecting', (source) => source.subscribe(reject)],
    ['in its error handler', (source) => source.pipe(map(fail)).subscribe({ error: fail })],
  ])('%s disturbs nobody, and is told of once', async (_how, listen) => {
    const heard: number[] = [];
    listen(stream);
    stream.subscribe((value) => heard.push(value));
    subject.next(1);
    await new Promise((resolve) => setImmediate(resolve));
    expect(heard).toEqual([1]);
    expect(onError.mock.calls).toEqual([[failure]]);
  });

  it('hears the next value all the same', () => {
    const heard: number[] = [];
    stream.subscribe((value) => {
      heard.push(value);
      fail();
    });
    subject.next(1);
    subject.next(2);
    expect(heard).toEqual([1, 2]);
  });
});

it('gives values, errors and the end to observers of every kind (control)', () => {
  const heard: unknown[] = [];
  stream.subscribe({ next: (value) => heard.push(value), complete: () => heard.push('end') });
  stream.subscribe((value) => heard.push(value)).unsubscribe();
  const stopped = stream.subscribe({ next: (value) => heard.push(value) });
  subject.next(1);
  stopped.unsubscribe();
  subject.next(2);
  subject.complete();
  expect(heard).toEqual([1, 1, 2, 'end']);
  expect(onError).not.toHaveBeenCalled();
});
