import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { generateKey, readForeignKey, readKey } from '../../src/api-key/api-key-format.js';
import { composeKey, FORMAT, withWrongChecksum } from '../support/sample-key.js';

const BASE62 = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz';
const SHAPE = /^kflive_[0-9a-f]{16}_[0-9A-Za-z]{43}$/;

const label = fc.stringMatching(/^[a-z][a-z0-9]{0,15}$/);

describe('the text of a key', () => {
  it('is prefix and environment, an id, a secret and a checksum', () => {
    expect(generateKey(FORMAT).text).toMatch(SHAPE);
  });

  it('is read back as it was made, whatever the prefix and the environment', () => {
    fc.assert(
      fc.property(label, label, (prefix, environment) => {
        const made = generateKey({ prefix, environment });
        expect(readKey(made.text, { prefix, environment }, false)).toEqual(made);
      }),
      { numRuns: 200 },
    );
  });

  it('ends with a CRC-32 of all that precedes it', () => {
    const { text } = generateKey(FORMAT);
    const [name, id, rest = ''] = text.split('_');
    expect(text).toBe(composeKey({ label: name, id, secret: rest.slice(0, 37) }));
  });

  it('never comes twice', () => {
    const keys = Array.from({ length: 5_000 }, () => generateKey(FORMAT));
    expect(new Set(keys.map((key) => key.text)).size).toBe(keys.length);
    expect(new Set(keys.map((key) => key.locator)).size).toBe(keys.length);
  });

  it('has the locator of its id', () => {
    const { text, locator } = generateKey(FORMAT);
    expect(text.split('_')[1]).toBe(locator);
  });

  it.each(Array.from({ length: 67 }, (_unused, position) => position))(
    'is refused with another character at position %i',
    (position) => {
      const { text } = generateKey(FORMAT);
      const kept = text.charAt(position);
      // Within the alphabet of that place, so that the checksum has to notice and not the grammar.
      const alphabet = position < 7 ? 'abcdefkilv' : position < 24 ? '0123456789abcdef' : BASE62;
      for (const other of alphabet.replace(kept, '')) {
        const changed = text.slice(0, position) + other + text.slice(position + 1);
        expect(readKey(changed, FORMAT, false)).toMatch(/^(?:bad_checksum|malformed_key)$/);
      }
      expect(readKey(text, FORMAT, false)).toMatchObject({ text });
    },
  );

  it('is refused with two neighbours exchanged', () => {
    const text = composeKey({ secret: 'abcdefghijklmnopqrstuvwxyzABCDEFGHIJK' });
    const exchanged = text.replace('cd', 'dc');
    expect(exchanged).not.toBe(text);
    expect(readKey(exchanged, FORMAT, false)).toBe('bad_checksum');
    expect(readKey(text, FORMAT, false)).toMatchObject({ text });
  });

  it.each([
    ['nothing', ''],
    ['the label alone', 'kflive'],
    ['the label and the id', 'kflive_0123456789abcdef'],
    ['a cut key', composeKey().slice(0, -1)],
    ['a longer key', `${composeKey()}0`],
    ['a line feed behind it', `${composeKey()}\n`],
    ['a space before it', ` ${composeKey()}`],
    ['capitals in the id', composeKey({ id: '0123456789ABCDEF' })],
    ['no id', composeKey({ id: '' })],
    ['a longer id', composeKey({ id: '0123456789abcdef0' })],
    ['another prefix', composeKey({ label: 'sklive' })],
    ['a prefix in capitals', composeKey({ label: 'KFLIVE' })],
    ['a character outside the alphabet', composeKey({ secret: `${'A'.repeat(36)}-` })],
    ['a letter that is not ASCII', composeKey({ secret: `${'A'.repeat(36)}é` })],
    ['a UUID', '0e37df36-f698-11e6-8dd4-cb9ced3df976'],
    ['a digest', 'a'.repeat(64)],
    ['__proto__', '__proto__'],
  ])('is malformed: %s', (_what, text) => {
    expect(readKey(text, FORMAT, false)).toBe('malformed_key');
  });

  it('of another environment is told apart, once its checksum is right', () => {
    const test = composeKey({ label: 'kftest' });
    expect(readKey(test, FORMAT, false)).toBe('wrong_environment');
    expect(readKey(withWrongChecksum(test), FORMAT, false)).toBe('bad_checksum');
    expect(readKey(test, { prefix: 'kf', environment: 'test' }, false)).toMatchObject({ environment: 'test' });
  });

  it('never makes reading throw', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 600 }), fc.boolean(), (text, foreign) => {
        const key = readKey(text, FORMAT, foreign);
        expect(typeof key === 'string' || key.text === text).toBe(true);
      }),
    );
  });
});

describe('the random part of keys', () => {
  it('takes every character of the alphabet equally often (chi-square)', () => {
    const perKey = 37;
    const keys = 5_000;
    const counts = new Map<string, number>(Array.from(BASE62, (character) => [character, 0]));
    for (let made = 0; made < keys; made += 1) {
      const secret = generateKey(FORMAT).text.split('_')[2]?.slice(0, perKey) ?? '';
      for (const character of secret) counts.set(character, (counts.get(character) ?? 0) + 1);
    }
    expect(counts.size).toBe(62);
    const expected = (keys * perKey) / 62;
    const chiSquare = [...counts.values()].reduce((sum, count) => sum + (count - expected) ** 2 / expected, 0);
    // 61 degrees of freedom: an unbiased source exceeds 140 once in 30 million runs; `byte % 62` gives over 1000.
    expect(chiSquare).toBeLessThan(140);
  });

  it('would be noticed if it were biased (control)', () => {
    const keys = 5_000 * 37;
    const counts = new Array<number>(62).fill(0);
    for (let drawn = 0; drawn < keys; drawn += 1) {
      const character = (drawn % 256) % 62;
      counts[character] = (counts[character] ?? 0) + 1;
    }
    const expected = keys / 62;
    expect(counts.reduce((sum, count) => sum + (count - expected) ** 2 / expected, 0)).toBeGreaterThan(140);
  });
});

describe("a key in somebody else's format", () => {
  it.each([
    ['15 characters', 'a'.repeat(15), false],
    ['16 characters', 'a'.repeat(16), true],
    ['512 characters', 'a'.repeat(512), true],
    ['513 characters', 'a'.repeat(513), false],
  ])('of %s', (_what, text, read) => {
    expect(readForeignKey(text) !== undefined).toBe(read);
    expect(readKey(text, FORMAT, true) !== 'malformed_key').toBe(read);
    expect(readKey(text, FORMAT, false)).toBe('malformed_key');
  });

  it('has a locator that does not show its text, and always the same', () => {
    const text = 'sk_test_4eC39HqLyjWDarjtT1zdp7dc';
    const locator = readForeignKey(text)?.locator ?? '';
    expect(locator).toMatch(/^[0-9a-f]{32}$/);
    expect(readForeignKey(text)?.locator).toBe(locator);
    expect(readForeignKey(`${text}x`)?.locator).not.toBe(locator);
  });

  it('keeps our own checksum in force where ours are told apart by their label', () => {
    expect(readKey(withWrongChecksum(composeKey()), FORMAT, true)).toBe('bad_checksum');
  });
});
