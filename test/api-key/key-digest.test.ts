import { createHash, createHmac } from 'node:crypto';
import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import {
  deriveLocator,
  fromBase62,
  KeyDigester,
  randomBase62,
  randomHex,
  toBase62,
} from '../../src/api-key/key-digest.js';

const SECRETS = { v1: 'first-pepper'.padEnd(32, '1'), v2: 'second-pepper'.padEnd(32, '2') };

describe('without peppers', () => {
  const digester = new KeyDigester();

  it('a digest is SHA-256 in hexadecimal', () => {
    expect(digester.version).toBe('sha256');
    expect(digester.digest('abc')).toBe('ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad');
  });

  it('agrees with another implementation of the same, for any text', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme' }), (text) => {
        expect(digester.digest(text)).toBe(createHash('sha256').update(text).digest('hex'));
      }),
    );
  });

  it('knows no version with one', () => {
    const peppered = new KeyDigester({ current: 'v1', secrets: SECRETS });
    expect(digester.matches('abc', peppered.digest('abc'), peppered.version)).toBeUndefined();
  });
});

describe('with peppers', () => {
  const digester = new KeyDigester({ current: 'v2', secrets: SECRETS });

  it('a digest is HMAC-SHA-256 with the current one', () => {
    expect(digester.version).toBe('hmac-sha256:v2');
    expect(digester.digest('abc')).toBe(createHmac('sha256', SECRETS.v2).update('abc').digest('hex'));
  });

  it('matches digests of every version that it has, and of none', () => {
    const older = new KeyDigester({ current: 'v1', secrets: SECRETS });
    expect(digester.matches('abc', older.digest('abc'), 'hmac-sha256:v1')).toBe(true);
    expect(digester.matches('abc', new KeyDigester().digest('abc'), 'sha256')).toBe(true);
    expect(digester.matches('abc', older.digest('abc'), 'hmac-sha256:v2')).toBe(false);
  });

  it.each(['hmac-sha256:v3', 'hmac-sha256:', 'hmac-sha256:__proto__', 'sha1', '', 'v2'])(
    'does not know version %p',
    (version) => {
      expect(digester.matches('abc', digester.digest('abc'), version)).toBeUndefined();
    },
  );
});

describe('deriveLocator', () => {
  it('is no part of the digest, which would then be half known', () => {
    const text = 'a-key-that-a-team-has-already';
    expect(new KeyDigester().digest(text)).not.toContain(deriveLocator(text));
    expect(deriveLocator(text)).toMatch(/^[0-9a-f]{32}$/);
  });
});

describe('matches', () => {
  const digester = new KeyDigester();
  const digest = digester.digest('abc');

  it('is true for the same digest', () => {
    expect(digester.matches('abc', digest, 'sha256')).toBe(true);
  });

  it.each([
    ['another digest', digester.digest('abd')],
    ['nothing', ''],
    ['a shorter text', digest.slice(0, -1)],
    ['a longer text', `${digest}0`],
    ['capitals', digest.toUpperCase()],
    ['characters of more than one byte', '\u00e9'.repeat(64)],
    [
      'characters that fold to the right bytes',
      digest.replaceAll(/./g, (character) => String.fromCharCode(character.charCodeAt(0) + 0x100)),
    ],
  ])('is false, and does not throw, for %s', (_what, other) => {
    expect(digester.matches('abc', other, 'sha256')).toBe(false);
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

describe('fromBase62', () => {
  it('reads what toBase62 writes', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 0xffffffff }), (value) => {
        expect(fromBase62(toBase62(value, 6))).toBe(value);
      }),
    );
  });

  it.each(['00000-', ' 00000', '00000\u00e9', '00000\u{1f600}', '0000_0'])('reads no number of %p', (text) => {
    expect(fromBase62(text)).toBeNaN();
  });
});
