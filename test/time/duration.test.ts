import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { parseDuration } from '../../src/time/duration.js';

describe('parseDuration', () => {
  it.each([
    [0, 0],
    [250, 250],
    ['0s', 0],
    ['500ms', 500],
    ['30s', 30_000],
    ['5m', 300_000],
    ['24h', 86_400_000],
    ['90d', 7_776_000_000],
    ['36525d', 3_155_760_000_000],
  ])('reads %p as %i ms', (text, milliseconds) => {
    expect(parseDuration(text)).toBe(milliseconds);
  });

  it.each([
    [-1],
    [1.5],
    [Number.NaN],
    [Number.POSITIVE_INFINITY],
    ['30'],
    ['30 s'],
    [' 30s'],
    ['30S'],
    ['1.5h'],
    ['-1s'],
    ['1w'],
    ['s'],
    [''],
    ['1e3s'],
    ['36526d'],
    ['9999999999s'],
    [null],
    [undefined],
    [['30s']],
    [[30]],
  ])('does not take %p for one', (value) => {
    expect(parseDuration(value)).toBeUndefined();
  });

  it('gives a date that is one, or nothing, for any text and number', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.double(), fc.stringMatching(/^\d{1,10}(ms|s|m|h|d)$/)), (value) => {
        const milliseconds = parseDuration(value);
        if (milliseconds !== undefined) expect(new Date(Date.now() + milliseconds).getTime()).not.toBeNaN();
      }),
    );
  });
});
