import { execFileSync } from 'node:child_process';
import { posix } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import { filesIn, manifest, readText, ROOT } from './package-files.js';

interface Packed {
  readonly files: readonly { readonly path: string }[];
}

const AT_THE_ROOT = ['package.json', 'LICENSE', 'README.md', 'CHANGELOG.md', 'SECURITY.md'];
const IN_FOLDERS = /^(?:src\/.+\.ts|dist\/(?:esm|cjs)\/.+\.(?:js|d\.ts)(?:\.map)?|dist\/cjs\/package\.json)$/;

function packedFiles(): string[] {
  const output = execFileSync('npm', ['pack', '--dry-run', '--json', '--ignore-scripts', '--loglevel=error'], {
    cwd: ROOT,
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  const [packed] = JSON.parse(output) as [Packed];
  return packed.files.map(({ path }) => path);
}

describe('the tarball', () => {
  const files = packedFiles();

  it('holds only what is meant to be published', () => {
    expect(files.filter((file) => !AT_THE_ROOT.includes(file) && !IN_FOLDERS.test(file))).toEqual([]);
    expect(files).toEqual(
      expect.arrayContaining(['package.json', 'LICENSE', 'dist/esm/index.js', 'dist/cjs/index.js']),
    );
  });

  it('holds no test, example or configuration', () => {
    expect(
      files.filter((file) => /(?:^|\/)(?:test|examples|bench|scripts)\/|\.(?:test|spec)\.|tsconfig/.test(file)),
    ).toEqual([]);
  });

  it('holds every file that the exports map leads to', () => {
    const targets = [...JSON.stringify(manifest.exports).matchAll(/"\.\/([^"]+\.\w+)"/g)].map(([, path = '']) => path);
    expect(targets.filter((path) => !files.includes(path))).toEqual([]);
  });

  it('holds the source of every map, for debuggers and editors', () => {
    const maps = ['dist/esm', 'dist/cjs'].flatMap((folder) => filesIn(folder, '.map'));
    const missing = maps.flatMap((map) => {
      const { sources } = JSON.parse(readText(map)) as { readonly sources: readonly string[] };
      return sources
        .map((source) => posix.join(posix.dirname(map), source))
        .filter((source) => !files.includes(source));
    });
    expect(missing).toEqual([]);
  });
});
