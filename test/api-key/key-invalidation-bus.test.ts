import { describe, expect, it, jest } from '@jest/globals';
import fc from 'fast-check';
import {
  deliverInvalidation,
  encodeInvalidation,
  InProcessInvalidationBus,
  type InvalidationListener,
} from '../../src/api-key/key-invalidation-bus.js';

/** PostgreSQL takes less than 8000 bytes in a notification. */
const MAX_BYTES = 7_999;
const CHARACTERS = Array.from('0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_-');

const locator = fc.string({ unit: fc.constantFrom(...CHARACTERS), minLength: 1, maxLength: 64 });

interface Heard extends InvalidationListener {
  readonly invalidated: (readonly string[])[];
  readonly resets: () => number;
}

function listener(): Heard {
  const invalidated: (readonly string[])[] = [];
  let resets = 0;
  return {
    invalidated,
    resets: () => resets,
    invalidate: (locators) => void invalidated.push(locators),
    reset: () => {
      resets += 1;
    },
  };
}

describe('a message', () => {
  it('tells what it was made of, in order, and no message is too long for any bus', () => {
    fc.assert(
      fc.property(fc.array(locator, { maxLength: 450 }), (locators) => {
        const heard = listener();
        const messages = encodeInvalidation(locators);
        for (const message of messages) deliverInvalidation(message, heard);
        expect(heard.invalidated.flat()).toEqual(locators);
        expect(heard.resets()).toBe(0);
        expect(Math.max(0, ...messages.map((message) => Buffer.byteLength(message)))).toBeLessThanOrEqual(MAX_BYTES);
      }),
    );
  });

  it.each([
    [0, 0],
    [1, 1],
    [100, 1],
    [101, 2],
    [250, 3],
  ])('of %i locators is sent as %i', (count, messages) => {
    const locators = Array.from({ length: count }, (_, index) => `${index}`.padStart(64, '0'));
    expect(encodeInvalidation(locators)).toHaveLength(messages);
  });

  it('of anything at all never throws, and makes a listener forget: what it names, or everything', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string({ unit: 'binary' }), fc.anything()), (message) => {
        const heard = listener();
        deliverInvalidation(message, heard);
        expect(heard.invalidated.length + heard.resets()).toBe(1);
        if (heard.resets() === 0) expect(heard.invalidated.flat().join(' ')).toBe(message);
      }),
    );
  });

  it.each<[string, unknown]>([
    ['nothing', ''],
    ['a space', ' '],
    ['undefined', undefined],
    ['null', null],
    ['a list', ['0123456789abcdef']],
    ['bytes', Buffer.from('0123456789abcdef')],
    ['a text object', Object('0123456789abcdef')],
    ['two spaces', 'a  b'],
    ['a space at its end', 'a '],
    ['a line break', 'a\n'],
    ['a tab', 'a\tb'],
    ['JSON', '["a"]'],
    ['a locator that is too long', 'a'.repeat(65)],
    ['a character that looks like another', '\u0430'],
    ['more locators than any message has', Array.from({ length: 101 }, () => 'a').join(' ')],
    ['a very long text', 'a '.repeat(1_000_000)],
  ])('that is %s makes a listener forget everything', (_what, message) => {
    const heard = listener();
    deliverInvalidation(message, heard);
    expect([heard.invalidated, heard.resets()]).toEqual([[], 1]);
  });

  it('of the longest kind is read (control)', () => {
    const heard = listener();
    const message = Array.from({ length: 100 }, () => 'a'.repeat(64)).join(' ');
    deliverInvalidation(message, heard);
    expect([heard.invalidated.flat().length, heard.resets()]).toEqual([100, 0]);
  });
});

describe('the bus of one process', () => {
  it('tells every listener, until it stops', async () => {
    const bus = new InProcessInvalidationBus();
    const [first, second] = [listener(), listener()];
    const stop = await bus.subscribe(first);
    await bus.subscribe(second);
    await bus.publish(['a']);
    await stop();
    await stop();
    await bus.publish(['b']);
    expect([first.invalidated, second.invalidated]).toEqual([[['a']], [['a'], ['b']]]);
    expect(first.resets() + second.resets()).toBe(0);
  });

  it('has told when publish resolves, and takes no listener to be there', async () => {
    const bus = new InProcessInvalidationBus();
    await expect(bus.publish(['a'])).resolves.toBeUndefined();
    const invalidate = jest.fn();
    await bus.subscribe({ invalidate, reset: jest.fn() });
    void bus.publish(['b']);
    expect(invalidate).toHaveBeenCalledTimes(1);
  });
});
