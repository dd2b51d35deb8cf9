import { chdir, cwd } from 'node:process';
import { lstatSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, describe, expect, it } from '@jest/globals';
import { ForbiddenException } from '@nestjs/common';
import fc from 'fast-check';
import { KeyfenceConfigurationError } from '../../src/errors/configuration.error.js';
import { DEFAULT_ALLOWED_PREFIXES, validateNoHostEscape } from '../../src/host/validate-no-host-escape.js';
import { outcomeOf, refusalOf } from '../confined-fs/refusal-of.js';
import { plantTree, symlink, temporaryDirectory } from '../support/file-tree.js';

const base = temporaryDirectory();
const allowed = join(base, 'allowed');
await plantTree(base, {
  allowed: {
    file: 'inside',
    'sp ace%': 'inside',
    deep: { er: { file: 'inside' } },
    'link-in': symlink('deep'),
    'link-out': symlink('../outside'),
    'link-to-file-out': symlink('../outside/secret'),
    'link-absolute': symlink(join(base, 'outside')),
    'link-nowhere': symlink('missing'),
    'link-nowhere-out': symlink('../outside/missing'),
    'link-loop': symlink('link-loop'),
    'link-to-neighbour': symlink('../allowed-2'),
    'link-host': symlink('/'),
    '%2e%2e': { file: 'a directory that is named so' },
  },
  'allowed-2': { file: 'outside' },
  allowed2: { file: 'outside' },
  outside: { secret: 'outside', back: symlink('../allowed') },
  'prefix-link': symlink('allowed'),
});
afterAll(() => {
  rmSync(base, { recursive: true, force: true });
});

const check = (path: string): string => validateNoHostEscape(path, [allowed]);

describe('validateNoHostEscape() with own prefixes', () => {
  it.each([
    ['', ''],
    ['/file', '/file'],
    ['/', ''],
    ['/.', ''],
    ['/deep/er/file', '/deep/er/file'],
    ['//deep///er/', '/deep/er'],
    ['/./deep/./er', '/deep/er'],
    ['/deep/../file', '/file'],
    ['/deep/er/../../file', '/file'],
    ['/../allowed/file', '/file'],
    ['/link-in/er/file', '/deep/er/file'],
    ['/link-in/../file', '/file'],
    ['/missing', '/missing'],
    ['/missing/and/deeper.txt', '/missing/and/deeper.txt'],
    ['/missing/../other', '/other'],
    ['/sp ace%', '/sp ace%'],
    ['/a..b', '/a..b'],
    ['/...', '/...'],
    ['/..file', '/..file'],
    ['/100%', '/100%'],
    ['/%20', '/%20'],
    ['/link-out/back/file', '/file'],
  ])('allowed%s becomes allowed%s', (path, resolved) => {
    expect(check(`${allowed}${path}`)).toBe(`${allowed}${resolved}`);
  });

  it('takes a path from any of several prefixes', () => {
    const prefixes = [allowed, join(base, 'outside')];
    expect(validateNoHostEscape(join(base, 'outside/secret'), prefixes)).toBe(join(base, 'outside/secret'));
    expect(validateNoHostEscape(join(allowed, 'file'), prefixes)).toBe(join(allowed, 'file'));
    expect(validateNoHostEscape(join(allowed, 'link-out/secret'), prefixes)).toBe(join(base, 'outside/secret'));
  });

  it('resolves a prefix that is a link, or not in its shortest form, or that does not exist', () => {
    expect(validateNoHostEscape(join(base, 'prefix-link/file'), [join(base, 'prefix-link')])).toBe(
      join(allowed, 'file'),
    );
    expect(validateNoHostEscape(join(allowed, 'file'), [join(base, 'prefix-link')])).toBe(join(allowed, 'file'));
    expect(validateNoHostEscape(join(allowed, 'file'), [`${base}/outside/../allowed/`])).toBe(join(allowed, 'file'));
    const missing = join(base, 'not-made-yet');
    expect(validateNoHostEscape(`${missing}/file`, [missing])).toBe(`${missing}/file`);
  });
});

/** Paths by what comes after the allowed directory. `{base}` stands for the directory that holds it. */
const ESCAPES: readonly (readonly [why: string, paths: readonly string[]])[] = [
  [
    'leads up',
    ['/..', '/../', '/../outside', '/../outside/secret', '/deep/../../outside/secret', '/../../../../etc/passwd'],
  ],
  ['leads up past what does not exist', ['/missing/../../outside/secret', '/a/b/../../../outside']],
  ['leads up behind a link', ['/link-out/..', '/link-out/../outside/secret', '/link-in/../../outside']],
  [
    'follows a link out',
    ['/link-out', '/link-out/secret', '/link-to-file-out', '/link-absolute/secret', '/link-host/etc/passwd'],
  ],
  ['follows a link out to what does not exist', ['/link-out/missing', '/link-nowhere-out', '/link-nowhere-out/below']],
  ['meets a link to nothing', ['/link-nowhere', '/link-nowhere/below']],
  ['meets a loop', ['/link-loop', '/link-loop/below']],
  ['goes on below a file', ['/file/below', '/deep/er/file/below/further']],
  [
    'is a neighbour with a like name',
    ['-2', '-2/file', '2', '2/file', '/link-to-neighbour/file', '/../allowed-2/file', ' ', '.'],
  ],
  ['is encoded', ['/%2e%2e/outside/secret', '/..%2f..%2fetc', '/%2e%2e%2foutside', '/%2E%2E/outside', '/.%2e/outside']],
  [
    'is encoded twice and more',
    ['/%252e%252e/outside', '/..%252foutside', '/%25252e%25252e%25252foutside', '/%25%32%65%25%32%65/x'],
  ],
  ['is encoded and overlong', ['/%c0%ae%c0%ae/outside', '/..%c0%afoutside', '/%e0%80%ae%e0%80%ae/', '/%25c0%25ae']],
  ['is encoded without an end', ['/%2525252525252525252e']],
  ['holds a NUL', ['/file\0', '\0', '/file\0/../../outside', '/file%00', '/file%00.png', '/file%2500']],
  ['has too long a name', [`/${'a'.repeat(256)}`, `/${'a/'.repeat(3_000)}b`]],
];

describe.each(ESCAPES)('a path that %s', (_why, paths) => {
  it.each(paths.map((path) => [path.slice(0, 60), path]))('%j is refused', async (_title, path) => {
    const refusal = await refusalOf(() => check(`${allowed}${path}`));
    expect(refusal).toBeInstanceOf(ForbiddenException);
    expect(refusal).toMatchObject({ errorCode: 'path_escape', status: 403, message: 'The path is not allowed.' });
    const shown = JSON.stringify([
      refusal,
      (refusal as ForbiddenException).getResponse(),
      String(refusal),
      refusal.stack,
    ]);
    expect(shown).not.toContain(base);
    expect(shown).not.toContain('outside');
  });
});

describe('what is no path', () => {
  it.each(['', undefined, null, 0, 1, [], ['/tmp/container-safe'], {}, { toString: () => allowed }, true])(
    '%p is refused',
    async (value) => {
      expect(await outcomeOf(() => validateNoHostEscape(value as string, [allowed]))).toBe('path_escape');
      expect(await outcomeOf(() => validateNoHostEscape(value as string, [base]))).toBe('path_escape');
    },
  );
});

describe('a relative path', () => {
  const original = cwd();
  afterEach(() => {
    chdir(original);
  });

  it.each([
    ['file', 'ok'],
    ['./deep/er/file', 'ok'],
    ['deep/../file', 'ok'],
    ['missing', 'ok'],
    ['.', 'ok'],
    ['..', 'path_escape'],
    ['../outside/secret', 'path_escape'],
    ['link-out/secret', 'path_escape'],
    ['%2e%2e/outside', 'path_escape'],
    ['etc/passwd/../../../..', 'path_escape'],
  ])('%p is taken from the working directory: %s', async (path, outcome) => {
    chdir(allowed);
    expect(await outcomeOf(() => check(path))).toBe(outcome);
  });

  it('is refused where the working directory is not allowed', async () => {
    chdir(join(base, 'outside'));
    expect(await outcomeOf(() => check('secret'))).toBe('path_escape');
  });
});

describe('the default prefixes', () => {
  it('are the two that the documentation names', () => {
    expect(DEFAULT_ALLOWED_PREFIXES).toEqual(['/sandbox/tenants', '/tmp/container-safe']);
  });

  it.each(['/sandbox/tenants/acme/file', '/sandbox/tenants', '/tmp/container-safe/a', '/tmp/container-safe/'])(
    'let %s pass',
    (path) => {
      expect(validateNoHostEscape(path)).toMatch(/\/(?:sandbox\/tenants|container-safe)/);
    },
  );

  it.each([
    ...['/etc/passwd', '/proc/self/environ', '/var/run/docker.sock', '/', '/tmp', '/sandbox', '/root/.ssh/id_rsa'],
    ...['/tmp/container-safe-2/a', '/tmp/container-safe2', '/sandbox/tenants-old/a', '/sandbox/tenants/../secret'],
    ...['/tmp/container-safe/../../etc/passwd', '/sandbox/tenants/%2e%2e/%2e%2e/etc/passwd', 'container-safe/a'],
    ...['//etc/passwd', '/SANDBOX/tenants/a', ' /sandbox/tenants/a'],
  ])('refuse %s', async (path) => {
    expect(await outcomeOf(() => validateNoHostEscape(path))).toBe('path_escape');
  });
});

describe('wrong prefixes', () => {
  it.each(['', 'relative', './a', '../a', '/', '//', join(allowed, 'link-host'), undefined, null, 1])(
    '%p is a mistake of the application',
    (prefix) => {
      const call = (): string => validateNoHostEscape(join(allowed, 'file'), [allowed, prefix as string]);
      expect(call).toThrow(KeyfenceConfigurationError);
      expect(call).toThrow('allowedPrefixes');
    },
  );

  it('an empty list allows nothing', async () => {
    expect(await outcomeOf(() => validateNoHostEscape(join(allowed, 'file'), []))).toBe('path_escape');
  });
});

describe('any path', () => {
  const component = fc.constantFrom(
    ...[
      '..',
      '.',
      '',
      'file',
      'deep',
      'er',
      'missing',
      'link-in',
      'link-out',
      'back',
      'link-host',
      'outside',
      'allowed',
    ],
    ...['%2e%2e', '%2f', '..%2f', 'link-to-neighbour', 'secret'],
  );

  it('that passes is read inside, where it exists, also when it is decoded first', () => {
    let passed = 0;
    fc.assert(
      fc.property(fc.array(component, { maxLength: 7 }), (components) => {
        const path = `${allowed}/${components.join('/')}`;
        let resolved: string;
        try {
          resolved = check(path);
        } catch {
          return true;
        }
        passed += 1;
        const isInside = resolved === allowed || resolved.startsWith(`${allowed}/`);
        return isInside && [path, decodeURIComponent(path), resolved].every((each) => readIfAny(each) !== 'outside');
      }),
      { numRuns: 2_000 },
    );
    expect(passed).toBeGreaterThan(100);
  });

  it('gives what lies outside when only its text is looked at (control)', () => {
    const path = join(allowed, 'link-out/secret');
    expect(path.startsWith(`${allowed}/`)).toBe(true);
    expect(readFileSync(path, 'utf8')).toBe('outside');
  });
});

describe('a gate is no capability', () => {
  it('a path that passed leads elsewhere once a link is put in its way, as the documentation says', () => {
    const path = check(join(allowed, 'later/secret'));
    mkdirSync(join(base, 'elsewhere'));
    writeFileSync(join(base, 'elsewhere/secret'), 'outside');
    void symlink('../elsewhere').plant(join(allowed, 'later'));
    expect(lstatSync(join(allowed, 'later')).isSymbolicLink()).toBe(true);
    expect(readFileSync(path, 'utf8')).toBe('outside');
  });
});

function readIfAny(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}
