import { describe, expect, it } from '@jest/globals';
import { isAtLeast, isStrictness, type Strictness } from '../../src/confined-fs/strictness.js';

const STRONGEST_FIRST: readonly Strictness[] = ['kernel', 'procfs', 'platform-flag', 'best-effort'];
const PAIRS = STRONGEST_FIRST.flatMap((actual, a) =>
  STRONGEST_FIRST.map((required, r) => [actual, required, a <= r] as const),
);

describe('strictness', () => {
  it.each(PAIRS)('%s is at least %s: %p', (actual, required, expected) => {
    expect(isAtLeast(actual, required)).toBe(expected);
  });

  it.each(STRONGEST_FIRST)('%s is one', (value) => {
    expect(isStrictness(value)).toBe(true);
  });

  it.each(['', 'Kernel', 'none', undefined, null, 0, ['kernel'], {}])('%p is none', (value) => {
    expect(isStrictness(value)).toBe(false);
  });
});
