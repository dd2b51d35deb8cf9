import { createHash } from 'node:crypto';
import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import {
  deriveLocator,
  digestKey,
  equalDigests,
  randomBase62,
  randomHex,
  toBase62,
} from '../../src/api-key/key-digest.js';

describe('digestKey', () => {
  it('is SHA-256 in hexadecimal', () => {
    expect(digestKey('abc')).toBe('ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad');
  });

  it('agrees with another implementation of the same, for any text', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme' }), (text) => {
        expect(digestKey(text)).toBe(createHash('sha256').update(text).digest('hex'));
      }),
    );
  });
});

describe('deriveLocator', () => {
  it('is no part of the digest, which would then be half known', () => {
    const text = 'a-key-that-a-team-has-already';
    expect(digestKey(text)).not.toContain(deriveLocator(text));
    expect(deriveLocator(text)).toMatch(/^[0-9a-f]{32}$/);
  });
});

describe('equalDigests', () => {
  const digest = digestKey('abc');

  it('is true for the same digest', () => {
    expect(equalDigests(digest, digestKey('abc'))).toBe(true);
  });

  it.each([
    ['another digest', digestKey('abd')],
    ['nothing', ''],
    ['a shorter text', digest.slice(0, -1)],
    ['a longer text', `${digest}0`],
    ['capitals', digest.toUpperCase()],
    ['characters of more than one byte', 'é'.repeat(64)],
    [
      'characters that fold to the right bytes',
      digest.replaceAll(/./g, (c) => String.fromCharCode(c.charCodeAt(0) + 0x100)),
    ],
  ])('is false, and does not throw, for %s', (_what, other) => {
    expect(equalDigests(digest, other)).toBe(false);
    expect(equalDigests(other, digest)).toBe(false);
  });
});

describe('random text', () => {
  it.each([1, 16, 37, 200])('has the length that was asked for: %i', (length) => {
    expect(randomBase62(length)).toMatch(new RegExp(`^[0-9A-Za-z]{${length}}$`));
    expect(randomHex(length)).toMatch(new RegExp(`^[0-9a-f]{${2 * length}}$`));
  });
});

describe('toBase62', () => {
  it.each([
    [0, '000000'],
    [61, '00000z'],
    [62, '000010'],
    [0xffffffff, '4gfFC3'],
  ])('writes %i as %s', (value, text) => {
    expect(toBase62(value, 6)).toBe(text);
  });

  it('never writes two checksums alike', () => {
    const uint32 = fc.integer({ min: 0, max: 0xffffffff });
    fc.assert(
      fc.property(uint32, uint32, (a, b) => {
        expect(toBase62(a, 6) === toBase62(b, 6)).toBe(a === b);
      }),
    );
  });
});
