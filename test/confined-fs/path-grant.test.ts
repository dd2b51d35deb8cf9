import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { parseConfinedPath, ROOT_PATH, type ConfinedPath } from '../../src/confined-fs/confined-path.js';
import {
  isGranted,
  isGrantWithin,
  isListable,
  isPathGrant,
  isTreeGranted,
  namesTowards,
  type PathGrant,
} from '../../src/confined-fs/path-grant.js';
import { grantOf } from './path-grants.js';

/** Few names, some a prefix of another, so that grants and paths often meet. */
const path = fc
  .array(fc.constantFrom('a', 'aa', 'a b', 'b', 'reports', 'report'), { minLength: 1, maxLength: 4 })
  .map((names) => parseConfinedPath(names.join('/')));
const grant = fc.tuple(path, fc.boolean()).map(([base, tree]) => grantOf(tree ? `${base}/**` : base));

function granted(grants: readonly string[], asked: string): boolean {
  return isGranted(grants.map(grantOf), asked as ConfinedPath);
}

function within(entry: string, limit: string): boolean {
  return isGrantWithin(grantOf(entry), grantOf(limit));
}

describe('the form of a path grant', () => {
  it.each([
    'reports/**',
    'a/b/c/**',
    'a/b.txt',
    'a.txt',
    'sp ace/**',
    '.hidden/**',
    'a..b',
    '100%/**',
    '\u65e5\u672c/**',
  ])('takes %p', (text) => {
    expect(isPathGrant(text)).toBe(true);
  });

  it.each([
    ...[
      '',
      '**',
      '/**',
      '*',
      'a/*',
      '*/**',
      '**/a',
      'a/**/b',
      'a/**/**',
      'a/***',
      'a**',
      'a/b*',
      '*.txt',
      'a?',
      '[a]/?',
    ],
    ...[
      '.',
      './**',
      '..',
      '../**',
      'a/../**',
      'a/..',
      '../a',
      '/a',
      '/a/**',
      'C:/a',
      'C:/**',
      'a\\b',
      'a\\**',
      '\\\\a',
    ],
    ...['a/', 'a//b', 'a//**', 'a/./**', '%2e%2e/**', 'a%2f..%2fb', '%252e%252e/b', 'a\0', 'a\n/**', ' /**', 'a./**'],
    ...[
      'CON',
      'nul/**',
      'PROGRA~1/**',
      '.keyfence-1/**',
      'a:b',
      '\ud800/**',
      'a'.repeat(256),
      'a/'.repeat(64) + 'a/**',
    ],
    ...[undefined, null, 1, true, [], ['a/**'], {}, { toString: () => 'a/**' }],
  ])('refuses %p', (value) => {
    expect(isPathGrant(value)).toBe(false);
  });

  it('takes what is a path, or a path and all below it, and nothing else', () => {
    fc.assert(
      fc.property(fc.string({ unit: fc.constantFrom('a', 'b', '.', '/', '*', '\\', '%2e') }), (text) => {
        const base = text.endsWith('/**') ? text.slice(0, -3) : text;
        let isPath = true;
        try {
          parseConfinedPath(base);
        } catch {
          isPath = false;
        }
        expect(isPathGrant(text)).toBe(isPath);
      }),
    );
  });
});

describe('what a grant covers', () => {
  it.each([
    ['reports/**', 'reports', true],
    ['reports/**', 'reports/q3.csv', true],
    ['reports/**', 'reports/2024/q3.csv', true],
    ['reports/**', 'reports2/x', false],
    ['reports/**', 'reports2', false],
    ['reports/**', 'report', false],
    ['reports/**', 'reports.txt', false],
    ['reports/**', 'Reports/x', false],
    ['reports/**', 'a/reports/x', false],
    ['a/b/**', 'a', false],
    ['a/b/**', 'a/c', false],
    ['a/b/**', 'a/b', true],
    ['a/b.txt', 'a/b.txt', true],
    ['a/b.txt', 'a', false],
    ['a/b.txt', 'a/b.txt/c', false],
    ['a/b.txt', 'a/b.txt2', false],
    ['a/b.txt', 'a/bxtxt', false],
    ['caf\u00e9/**', 'cafe\u0301/x', false],
    ['constructor/**', 'constructor/x', true],
    ['a/**', '__proto__', false],
  ])('%p covers %p: %p', (entry, asked, expected) => {
    expect(granted([entry], asked)).toBe(expected);
    expect(granted(['other/**', entry, 'another.txt'], asked)).toBe(expected);
  });

  it('is everything without a list, and nothing with an empty one', () => {
    fc.assert(
      fc.property(path, (asked) => {
        expect(isGranted(undefined, asked)).toBe(true);
        expect(isTreeGranted(undefined, asked)).toBe(true);
        expect(isGranted([], asked)).toBe(false);
        expect(isTreeGranted([], asked)).toBe(false);
      }),
    );
  });

  it('never is the whole directory', () => {
    fc.assert(
      fc.property(fc.array(grant), (grants) => {
        expect(isGranted(grants, ROOT_PATH)).toBe(false);
        expect(isTreeGranted(grants, ROOT_PATH)).toBe(false);
      }),
    );
  });

  it('is what the names say, one by one', () => {
    let covered = 0;
    fc.assert(
      fc.property(grant, path, (entry, asked) => {
        const names = entry.split('/');
        const tree = names.at(-1) === '**';
        const base = tree ? names.slice(0, -1) : names;
        const below = asked.split('/');
        const expected = base.every((name, index) => name === below[index]) && (tree || below.length === base.length);
        if (expected) covered += 1;
        expect(isGranted([entry], asked)).toBe(expected);
      }),
      { numRuns: 2_000 },
    );
    expect(covered).toBeGreaterThan(20);
  });

  it('of a whole tree is every path in it', () => {
    fc.assert(
      fc.property(fc.array(grant, { maxLength: 3 }), path, path, (grants, top, below) => {
        if (!isTreeGranted(grants, top)) return;
        expect(isGranted(grants, top)).toBe(true);
        expect(isGranted(grants, parseConfinedPath(`${top}/${below}`))).toBe(true);
      }),
    );
    expect(isTreeGranted([grantOf('a')], parseConfinedPath('a'))).toBe(false);
    expect(isTreeGranted([grantOf('a/**')], parseConfinedPath('a/b'))).toBe(true);
  });
});

describe('one grant within another', () => {
  it.each([
    ['a/b/**', 'a/**', true],
    ['a/**', 'a/b/**', false],
    ['a/b.txt', 'a/**', true],
    ['a', 'a/**', true],
    ['a/**', 'a', false],
    ['a/b.txt', 'a/b.txt', true],
    ['a/b.txt/**', 'a/b.txt', false],
    ['ab/**', 'a/**', false],
    ['reports2/x', 'reports/**', false],
  ])('%p within %p: %p', (entry, limit, expected) => {
    expect(within(entry, limit)).toBe(expected);
  });

  it('is reflexive', () => {
    fc.assert(
      fc.property(grant, (entry) => {
        expect(isGrantWithin(entry, entry)).toBe(true);
      }),
    );
  });

  it('is transitive, and two that are within each other are the same', () => {
    let chains = 0;
    // Grants that lie on one branch, or chains would be rare.
    const branch = fc
      .tuple(fc.integer({ min: 1, max: 4 }), fc.boolean(), fc.constantFrom('a/b/c/d', 'a/b/x/d'))
      .map(([depth, tree, whole]): PathGrant => {
        const base = whole.split('/').slice(0, depth).join('/');
        return grantOf(tree ? `${base}/**` : base);
      });
    fc.assert(
      fc.property(branch, branch, branch, (a, b, c) => {
        if (isGrantWithin(a, b) && isGrantWithin(b, a)) expect(a).toBe(b);
        if (!isGrantWithin(a, b) || !isGrantWithin(b, c)) return;
        chains += 1;
        expect(isGrantWithin(a, c)).toBe(true);
      }),
      { numRuns: 1_000 },
    );
    expect(chains).toBeGreaterThan(20);
  });

  it('covers no path that the other does not; and a grant that is not within covers one', () => {
    fc.assert(
      fc.property(grant, grant, path, (entry, limit, asked) => {
        if (isGrantWithin(entry, limit)) {
          if (isGranted([entry], asked)) expect(isGranted([limit], asked)).toBe(true);
          return;
        }
        const base = entry.replace(/\/\*\*$/, '');
        const witnesses = [base, ...(base === entry ? [] : [`${base}/w`])].map(parseConfinedPath);
        expect(witnesses.every((witness) => isGranted([entry], witness))).toBe(true);
        expect(witnesses.every((witness) => isGranted([limit], witness))).toBe(false);
      }),
      { numRuns: 2_000 },
    );
  });
});

describe('the way to a grant', () => {
  const grants = ['a/b/**', 'a/c.txt', 'a/b/d', 'x/y/z/**', 'top'].map(grantOf);

  it.each([
    ['', ['a', 'x', 'top']],
    ['a', ['b', 'c.txt']],
    ['a/b', ['d']],
    ['x', ['y']],
    ['x/y', ['z']],
    ['x/y/z', []],
    ['top', []],
    ['to', []],
    ['other', []],
  ])('from %p has the names %p', (directory, expected) => {
    expect(namesTowards(grants, directory as ConfinedPath)).toEqual(expected);
  });

  it.each([
    ['', true],
    ['a', true],
    ['a/b', true],
    ['a/b/e', true],
    ['x/y', true],
    ['top', true],
    ['a/c.txt', true],
    ['a/d', false],
    ['to', false],
    ['x/z', false],
    ['top/below', false],
  ])('a list may start at %p: %p', (directory, expected) => {
    expect(isListable(grants, directory as ConfinedPath)).toBe(expected);
    expect(isListable(undefined, directory as ConfinedPath)).toBe(true);
    expect(isListable([], directory as ConfinedPath)).toBe(directory === '');
  });
});
