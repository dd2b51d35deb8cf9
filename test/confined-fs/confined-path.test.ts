import { join, posix, win32 } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import {
  entryPath,
  parseConfinedPath,
  ROOT_PATH,
  splitPath,
  type ConfinedPath,
} from '../../src/confined-fs/confined-path.js';
import { InvalidPathException, PathEscapeException } from '../../src/errors/path.exceptions.js';

/** `path`, or why the text is none: the reason of an escape, or `invalid`. */
function verdict(text: unknown): string {
  try {
    return parseConfinedPath(text) === text ? 'path' : 'changed';
  } catch (error) {
    if (error instanceof PathEscapeException) return error.reason;
    if (error instanceof InvalidPathException) return 'invalid';
    throw error;
  }
}

/** Text with `%` sequences decoded as lenient decoders do it: byte by byte, leaving what is no sequence. */
function decodeLeniently(text: string): string {
  return text.replace(/%([0-9a-f]{2})/gi, (_all, hex: string) => String.fromCharCode(parseInt(hex, 16)));
}

/** A million characters make no good title. */
function titled(text: string): readonly [title: string, text: string] {
  return [JSON.stringify(text).slice(0, 40), text];
}

describe('the path grammar', () => {
  it.each([
    ...[
      'a',
      'a.txt',
      'a/b',
      'a/b/c.d',
      '.hidden',
      '.a/.b',
      '..a',
      'a..b',
      '...a',
      '....b',
      'a. b',
      '-',
      '--',
      '~',
      '$HOME',
    ],
    ...[
      'sp ace',
      ' leading',
      '日本/ファイル',
      'é',
      'e\u0301',
      '😀',
      '\u202ertl',
      '\u00a0',
      '\u2028',
      '\ufeff',
      "it's",
      '`',
      '#',
      '&;',
    ],
    ...[
      '100%',
      '%',
      '%41',
      '%zz',
      '50%25',
      '%20',
      '%252b',
      '%2',
      '%e2%80%a6',
      '%u0041',
      '{}',
      '[a]',
      '(1)',
      '@',
      '=',
      '+',
      '!',
      '^',
    ],
    ...['console', 'nullable', 'com', 'com10', 'lpt', 'aux-', 'a.con', 'prn_', 'a~1b', 'longname~1', '~1', 'com¹x'],
    ...[
      'keyfence-',
      'a.keyfence-',
      '.keyfence',
      'a'.repeat(255),
      'é'.repeat(127),
      'a/'.repeat(63) + 'a',
      '__proto__',
      'constructor',
    ],
  ])('%p is a path', (text) => {
    expect(verdict(text)).toBe('path');
  });

  it.each([
    ...['..', '../a', 'a/..', 'a/../b', '../../etc/passwd', 'a/b/../../..', './..', '../', '/..', '/../a'],
    ...['..\\a', 'a\\..\\b', '..\\', 'a/..\\b', '\\..', 'C:\\..\\a', 'C:/../a', '%2e/..'],
  ])('%p leads up: traversal', (text) => {
    expect(verdict(text)).toBe('traversal');
  });

  it.each([
    ...[
      '/',
      '/a',
      '//a',
      '/etc/passwd',
      '\\',
      '\\a',
      '\\\\server\\share',
      '\\\\?\\C:\\a',
      '\\\\.\\pipe\\a',
      '/proc/self/root',
    ],
    ...['C:', 'c:a', 'C:\\a', 'C:/a', 'z:/', 'a:b'],
  ])('%p is absolute', (text) => {
    expect(verdict(text)).toBe('absolute');
  });

  it.each([
    ...[
      '%2e%2e/a',
      '%2E%2e',
      '.%2e/a',
      '%2e',
      'a%2fb',
      'a%2Fb',
      '..%2fetc',
      'a%5cb',
      '..%5C',
      'a%00',
      '%00',
      'a%00.png',
    ],
    ...[
      '%252e%252e%252f',
      '%25252e',
      '%252f',
      '%25255c',
      '%2500',
      '%252525252f',
      '%25%32%65',
      '%25%32%66',
      '%25%35%63',
    ],
    ...[
      '%%32%65',
      '%%32%65%%32%65/a',
      '..%%32%66a',
      '%2%65',
      '%2%35%32%65',
      '%2%66',
      '%%35%63',
      '%%30%30',
      '%25%30%30',
    ],
    ...[
      '%c0%ae%c0%ae',
      '%c0%af',
      '%c0.',
      '%c1%9c',
      '%c1%1c',
      '%e0%80%ae',
      '%e0%80%af',
      '%f0%80%80%ae',
      '%25c0%25ae',
      '%e0%2580%25ae',
    ],
    ...['%u002e', '%u002E%u002e', '%u002f', '%u005c', '%u2215', '%u2216', '%uff0e', '%uFF0F', '%25u002e'],
  ])('%p becomes a traversal when it is decoded: encoded', (text) => {
    expect(verdict(text)).toBe('encoded');
  });

  it.each(
    [
      ...['', '.', './', './a', 'a/.', 'a/./b', 'a//b', 'a/', 'a//', 'a/b/', './.'],
      ...[
        'a\u0000',
        '\u0000',
        'a\u0000.png',
        '\n',
        'a\nb',
        '\r',
        '\t',
        '\u001b[0m',
        '\u007f',
        '\u0080',
        '\u009f',
        '../\u0000',
      ],
      ...['a\\b', 'a\\', '.\\a', '\ud800', 'a\udc00b', '\udc00\ud800', 'a/\ud83d'],
      ...['ab:c', 'file.txt::$DATA', 'file:stream', '<', '>', '"', '|', '?', '*', 'a*.txt', 'what?'],
      ...[
        'con',
        'CON',
        'Con.txt',
        'prn',
        'aux',
        'nul',
        'NUL.tar.gz',
        'com1',
        'COM9.log',
        'lpt0',
        'com0',
        'com¹',
        'LPT³.txt',
        'a/nul/b',
      ],
      ...['conin$', 'CONOUT$', 'nul .txt', 'con  ', 'aux. ', 'a/con', 'PROGRA~1', 'abc~12.txt', 'ABCDEF~9', 'a/b~1/c'],
      ...['a.', 'a ', 'a..', '...', 'a/b./c', 'a /b', 'a. .', '. ', ' ', '   '],
      ...['.keyfence-', '.keyfence-1-1.tmp', 'a/.keyfence-x', '.KEYFENCE-x', '.Keyfence-1/a'],
      ...[
        'a'.repeat(256),
        `a/${'b'.repeat(256)}`,
        'é'.repeat(128),
        '日'.repeat(86),
        '😀'.repeat(64),
        'a/'.repeat(64) + 'a',
      ],
      ...['a'.repeat(4096), 'a'.repeat(1_000_000), 'a/'.repeat(500_000), ('é'.repeat(100) + '/').repeat(21) + 'a'],
    ].map(titled),
  )('%s is invalid', (_title, text) => {
    expect(verdict(text)).toBe('invalid');
  });

  it.each([
    undefined,
    null,
    0,
    1,
    true,
    {},
    [],
    ['a'],
    ['..'],
    new String('a'),
    { toString: () => 'a' },
    Symbol('a'),
    1n,
  ])('no text is no path: %p', (value) => {
    expect(verdict(value)).toBe('invalid');
  });

  it('counts bytes and depth exactly', () => {
    expect(verdict('a'.repeat(255))).toBe('path');
    expect(verdict('日'.repeat(85))).toBe('path');
    expect(verdict('日'.repeat(85) + 'a')).toBe('invalid');
    expect(verdict(Array(64).fill('a').join('/'))).toBe('path');
    expect(verdict(Array(65).fill('a').join('/'))).toBe('invalid');
    expect(verdict(Array(16).fill('a'.repeat(255)).join('/'))).toBe('path');
    expect(verdict([...Array<string>(16).fill('a'.repeat(255)), 'a'].join('/'))).toBe('invalid');
    expect(verdict(Array(16).fill('日'.repeat(85)).join('/'))).toBe('path');
  });
});

/** Text made of the pieces that path attacks are made of, so that rare combinations come up. */
const pieces = fc.constantFrom(
  ...[
    '.',
    '..',
    '/',
    '\\',
    '%',
    '2',
    'e',
    'f',
    '5',
    'c',
    '0',
    '25',
    '%2e',
    '%2f',
    '%5c',
    '%00',
    '%25',
    '%32',
    '%65',
    '%c0',
    '%ae',
  ],
  ...['a', 'b', 'nul', 'CON', '~1', ':', ' ', '\0', '\n', '\ud800', '日', 'é', '.keyfence-', '*', '\u0085', '-', '_'],
);
const hostileText = fc.oneof(
  fc.array(pieces, { maxLength: 12 }).map((parts) => parts.join('')),
  fc.string({ unit: 'binary', maxLength: 40 }),
  fc.string({ unit: fc.constantFrom('.', '/', '\\', 'a', '%', '2', 'e', 'f', '5'), maxLength: 16 }),
);
/** Percent signs and what can follow them, so dense that encodings of encodings come up in every run. */
const encodedText = fc
  .array(fc.constantFrom('%', '%25', '%32', '%35', '%65', '2', '5', 'e', 'f', 'c', '0', 'a', '/'), { maxLength: 8 })
  .map((parts) => parts.join(''));
const goodName = fc.stringMatching(/^[a-z0-9_][a-z0-9_ .-]{0,9}[a-z0-9_]$/).filter((name) => verdict(name) === 'path');
const goodPath = fc.array(goodName, { minLength: 1, maxLength: 8 }).map((names) => names.join('/'));
const RUNS = { numRuns: 3_000 };

describe('every text', () => {
  it('is a path as it stands, or refused with one of two exceptions', () => {
    const expected = ['path', 'traversal', 'absolute', 'encoded', 'invalid'];
    fc.assert(
      fc.property(hostileText, (text) => expected.includes(verdict(text))),
      RUNS,
    );
  });

  it('that is a path stays below where it is joined, as POSIX and as Windows see it', () => {
    fc.assert(
      fc.property(hostileText, (text) => {
        fc.pre(verdict(text) === 'path');
        return (
          posix.join('/root', text) === `/root/${text}` &&
          posix.resolve('/root', text) === `/root/${text}` &&
          win32.resolve('C:\\root', text) === `C:\\root\\${text.replaceAll('/', '\\')}`
        );
      }),
      RUNS,
    );
  });

  it('that is a path keeps its components also when somebody decodes it, up to three times', () => {
    fc.assert(
      fc.property(fc.oneof(encodedText, hostileText), (text) => {
        fc.pre(verdict(text) === 'path');
        const once = decodeLeniently(text);
        const twice = decodeLeniently(once);
        return [once, twice, decodeLeniently(twice)].every((decoded) => {
          const parts = decoded.split(/[/\\]/);
          return parts.length === text.split('/').length && !parts.includes('..') && !decoded.includes('\0');
        });
      }),
      { numRuns: 20_000 },
    );
  });

  it('made of plain names is a path, and with one hostile component it is not', () => {
    fc.assert(
      fc.property(
        goodPath,
        goodPath,
        fc.constantFrom('..', '.', '', 'nul', 'a\0', 'a\\b', '%2e%2e', 'a:b', 'a ', 'b.', '\ud800', 'a'.repeat(256)),
        (before, after, hostile) => {
          expect(verdict(`${before}/${after}`)).toBe('path');
          for (const text of [`${before}/${hostile}/${after}`, `${hostile}/${after}`, `${before}/${hostile}`]) {
            expect(verdict(text)).not.toBe('path');
          }
        },
      ),
      { numRuns: 300 },
    );
  });

  it('that is a path is its parent and its name again', () => {
    fc.assert(
      fc.property(goodPath, (text) => {
        const { parent, name } = splitPath(parseConfinedPath(text));
        expect(entryPath(parent, name)).toBe(text);
        expect(join(parent, name)).toBe(text);
      }),
    );
  });
});

describe('the path of an entry', () => {
  it.each(['a', '.hidden', '日本', 'a b'])('%p is its directory and its name', (name) => {
    expect(entryPath(ROOT_PATH, name)).toBe(name);
    expect(entryPath('a/b' as ConfinedPath, name)).toBe(`a/b/${name}`);
  });

  it.each(['', '.', '..', '/', 'a\\b', 'a\0', 'nul', '.keyfence-1', '%2e', 'a'.repeat(256)])(
    '%p has none: nobody could ask for it',
    (name) => {
      expect(entryPath(ROOT_PATH, name)).toBeUndefined();
      expect(entryPath('a/b' as ConfinedPath, name)).toBeUndefined();
    },
  );

  it('is none below the deepest directory that can be asked for', () => {
    expect(entryPath(Array(63).fill('a').join('/') as ConfinedPath, 'a')).toBeDefined();
    expect(entryPath(Array(64).fill('a').join('/') as ConfinedPath, 'a')).toBeUndefined();
  });

  it.each([
    ['a', '', 'a'],
    ['a/b', 'a', 'b'],
    ['a/b/c', 'a/b', 'c'],
  ])('%p is %p and %p', (path, parent, name) => {
    expect(splitPath(path as ConfinedPath)).toEqual({ parent, name });
  });
});

describe('a refusal', () => {
  it.each(['../secret-name', '/etc/secret-name', '%2e%2e/secret-name', 'secret-name\0', 'secret-name '])(
    'of %p does not repeat it and costs no stack trace',
    (text) => {
      let refusal: unknown;
      try {
        parseConfinedPath(text);
      } catch (error) {
        refusal = error;
      }
      expect(refusal).toBeInstanceOf(Error);
      expect(JSON.stringify((refusal as PathEscapeException).getResponse())).not.toContain('secret-name');
      expect((refusal as Error).message).not.toContain('secret-name');
      expect((refusal as Error).stack?.split('\n')).toHaveLength(1);
    },
  );
});
