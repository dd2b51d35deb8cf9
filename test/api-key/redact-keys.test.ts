import { createHash, randomUUID } from 'node:crypto';
import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { generateKey, readKey } from '../../src/api-key/api-key-format.js';
import { redactKeys } from '../../src/api-key/redact-keys.js';
import { KeyfenceConfigurationError } from '../../src/errors/configuration.error.js';
import { composeKey, FORMAT } from '../support/sample-key.js';

const KEY = composeKey();
const MASKED = 'kflive_0123456789abcdef_[redacted]';

const part = fc.stringMatching(/^[a-z][a-z0-9]{0,15}$/);
const key = fc.tuple(part, part).map(([prefix, environment]) => generateKey({ prefix, environment }).text);
const maskOf = (text: string): string => `${text.slice(0, -43)}[redacted]`;

describe('a key', () => {
  it('loses its secret and keeps its label and its id', () => {
    expect(redactKeys(KEY)).toBe(MASKED);
  });

  it('does so for every key that can be issued, and in any surroundings', () => {
    fc.assert(
      fc.property(key, fc.string({ unit: 'binary' }), fc.string({ unit: 'binary' }), (text, before, after) => {
        const redacted = redactKeys(before + text + after);
        expect(redacted).toBe(before + maskOf(text) + after);
        expect(redacted).not.toContain(text.slice(-43));
      }),
    );
  });

  it.each([
    ['a letter before it', `X${KEY}`, `X${MASKED}`],
    ['a small letter before it', `x${KEY}`, `x${MASKED}`],
    ['forty small letters before it', `${'x'.repeat(40)}${KEY}`, `${'x'.repeat(40)}${MASKED}`],
    ['a digit before it', `0${KEY}`, `0${MASKED}`],
    ['an underscore before it', `my_${KEY}`, `my_${MASKED}`],
    ['another id before it', `a_0123456789abcdef_${KEY}`, `a_0123456789abcdef_${MASKED}`],
    ['a letter behind it', `${KEY}X`, `${MASKED}X`],
    ['an underscore behind it', `${KEY}_`, `${MASKED}_`],
    ['a letter that is not ASCII behind it', `${KEY}\u00e9`, `${MASKED}\u00e9`],
    ['quotes around it', `{"key":"${KEY}"}`, `{"key":"${MASKED}"}`],
    ['an escaped line feed behind it', `${KEY}\\n`, `${MASKED}\\n`],
    ['a place in a URL', `/a?x-api-key=${KEY}&b=1`, `/a?x-api-key=${MASKED}&b=1`],
    ['a scheme before it', `Bearer ${KEY}`, `Bearer ${MASKED}`],
    ['a second line', `a\n${KEY}\nb`, `a\n${MASKED}\nb`],
    ['another key behind it', `${KEY} ${KEY}`, `${MASKED} ${MASKED}`],
    ['another key directly behind it', KEY + KEY + KEY, MASKED + MASKED + MASKED],
    ['a wrong checksum', `${KEY.slice(0, -1)}!`, `${MASKED}!`],
  ])('is found with %s', (_what, text, redacted) => {
    expect(redactKeys(text)).toBe(redacted);
  });

  it('cannot be hidden by the start of another that takes its label', () => {
    const text = `a_0123456789abcdef_${'A'.repeat(37)}${KEY}`;
    expect(redactKeys(text)).not.toContain(KEY.slice(-43));
  });

  it('that was cut is masked as long as the rest could be guessed', () => {
    const secret = KEY.slice(-43);
    const start = KEY.slice(0, -43);
    for (let length = 0; length <= 43; length += 1) {
      const shown = redactKeys(`${start}${secret.slice(0, length)}...`);
      expect(shown).toBe(length < 20 ? `${start}${secret.slice(0, length)}...` : `${MASKED}...`);
    }
  });

  it('that is masked stays as it is', () => {
    fc.assert(
      fc.property(key, fc.string(), (text, around) => {
        const once = redactKeys(around + text + around);
        expect(redactKeys(once)).toBe(once);
      }),
    );
  });
});

describe('any other text', () => {
  it('is left as it is', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string({ unit: 'binary' }), fc.stringMatching(/^[a-f0-9_]*$/)), (text) => {
        fc.pre(!/[a-z0-9]_[0-9a-f]{16}_[0-9A-Za-z]{20}/.test(text));
        expect(redactKeys(text)).toBe(text);
      }),
    );
  });

  it.each([
    ['nothing', ''],
    ['a UUID', randomUUID()],
    ['SHA-1', createHash('sha1').update('a').digest('hex')],
    ['SHA-256', createHash('sha256').update('a').digest('hex')],
    ['SHA-512', createHash('sha512').update('a').digest('hex')],
    ['SHA-256 in base64', createHash('sha256').update('a').digest('base64')],
    ['an integrity', `sha512-${createHash('sha512').update('a').digest('base64')}`],
    ['a JWT', 'eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJlc2lnbmF0dXJlc2lnbmF0dXJlc2lnbmF0dXJl'],
    ['a traceparent', '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01'],
    ["somebody else's key", 'sk_test_4eC39HqLyjWDarjtT1zdp7dc'],
    ['an id in capitals', composeKey({ id: '0123456789ABCDEF' })],
    ['a longer id', composeKey({ id: '0123456789abcdef0' })],
    ['a label in capitals', composeKey({ label: 'KFLIVE' })],
    ['a label of digits', composeKey({ label: '123' })],
    ['the id of a record', 'key_0123456789abcdef'],
    ['a name with an id in it', 'job_0123456789abcdef_sendReport'],
  ])('such as %s is too', (_what, text) => {
    expect(redactKeys(text)).toBe(text);
    expect(readKey(text, FORMAT, false)).toBe('malformed_key');
  });
});

describe('a format', () => {
  const test = composeKey({ label: 'kftest' });
  const other = composeKey({ label: 'sklive' });
  const all = [KEY, test, other].join(' ');

  it.each([
    ['of none', undefined, [KEY, test, other]],
    ['that is empty', {}, [KEY, test, other]],
    ['of a prefix', { prefix: 'kf' }, [KEY, test]],
    ['of an environment', { environment: 'live' }, [KEY, other]],
    ['of both', FORMAT, [KEY]],
  ])('%s masks its own keys', (_what, format, masked) => {
    const expected = [KEY, test, other].map((text) => (masked.includes(text) ? maskOf(text) : text)).join(' ');
    expect(redactKeys(all, format)).toBe(expected);
  });

  it('of any length finds what it issues', () => {
    fc.assert(
      fc.property(part, part, (prefix, environment) => {
        const { text } = generateKey({ prefix, environment });
        for (const format of [{ prefix }, { environment }, { prefix, environment }]) {
          expect(redactKeys(`=${text};`, format)).toBe(`=${maskOf(text)};`);
        }
      }),
    );
  });

  it.each(['', 'KF', 'k_f', '.*', '(', '[a-z]+', 'kf\n', 'a'.repeat(17), '0kf'])(
    'with the prefix %j is refused',
    (prefix) => {
      expect(() => redactKeys(KEY, { prefix })).toThrow(KeyfenceConfigurationError);
      expect(() => redactKeys(KEY, { environment: prefix })).toThrow(KeyfenceConfigurationError);
    },
  );
});

describe('a hostile text of a megabyte', () => {
  const HOSTILE: readonly [string, string][] = [
    ['small letters', 'a'],
    ['digits', '0'],
    ['underscores', '_'],
    ['ids', '_0123456789abcdef'],
    ['ids with a label', 'a_0123456789abcdef_'],
    ['keys without the last characters', `${KEY.slice(0, -24)}_`],
    ['keys', KEY],
  ];
  const SMALL = 16_384;
  const LARGE = 64 * SMALL;

  it.each(HOSTILE)('takes 64 times as long as one that is a 64th: %s', (_what, piece) => {
    // Quadratic work would be 4096 times as long.
    expect(growth((text) => redactKeys(text), piece, SMALL, LARGE)).toBeLessThan(640);
  });

  it('would be noticed if it took quadratic time (control)', () => {
    const naive = (text: string): string => text.replace(/[a-z][a-z0-9]*_[0-9a-f]{16}_[0-9A-Za-z]{43}/g, '');
    // A text 16 times as long, so 256 times the work; the machine may be noisy.
    expect(growth(naive, 'a', SMALL / 16, SMALL)).toBeGreaterThan(64);
  });

  function growth(run: (text: string) => string, piece: string, small: number, large: number): number {
    return timeOf(run, repeated(piece, large), 1) / timeOf(run, repeated(piece, small), 16);
  }

  function repeated(piece: string, length: number): string {
    return piece.repeat(Math.ceil(length / piece.length)).slice(0, length);
  }

  /** The shortest of five rounds, in milliseconds for one call. */
  function timeOf(run: (text: string) => string, text: string, calls: number): number {
    const rounds = Array.from({ length: 5 }, () => {
      const start = performance.now();
      for (let call = 0; call < calls; call += 1) run(text);
      return (performance.now() - start) / calls;
    });
    return Math.min(...rounds);
  }
});
