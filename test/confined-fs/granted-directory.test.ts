import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { afterEach, describe, expect, it, jest } from '@jest/globals';
import type { ConfinedDirectory } from '../../src/confined-fs/confined-directory.js';
import { RootCache } from '../../src/confined-fs/root-cache.js';
import { PathEscapeException } from '../../src/errors/path.exceptions.js';
import { enginesHere } from '../support/engines.js';
import { hardLink, plantTree, symlink, type Tree } from '../support/file-tree.js';
import { useWorkbench } from './every-engine.js';
import { listedPaths } from './listed-paths.js';
import { grantOf } from './path-grants.js';
import { outcomeOf, refusalOf } from './refusal-of.js';
import { snapshot } from './snapshot.js';

const SECRET = 'not granted';
const TREE: Tree = {
  reports: { 'q3.csv': 'granted', 2024: { 'q1.csv': 'granted' }, empty: {} },
  reports2: { x: SECRET },
  report: SECRET,
  'reports.txt': SECRET,
  a: { b: { 'c.txt': 'granted', d: { 'e.txt': 'granted' } }, 'sibling.txt': SECRET, other: { f: SECRET } },
  one: { 'file.txt': 'granted', 'file.txt2': SECRET },
  empty: {},
};
const GRANTS = ['reports/**', 'a/b/**', 'one/file.txt'];
const OUTSIDE = [
  'report',
  'reports2/x',
  'reports.txt',
  'a/sibling.txt',
  'a/other/f',
  'one/file.txt2',
  'empty',
  'a',
  'one',
];
const OUTSIDE_AND_MISSING = ['missing', 'missing/below', 'a/missing', 'one/missing', 'report/below', 'Reports/q3.csv'];

type Verb = readonly [name: string, call: (files: ConfinedDirectory, path: string) => unknown];

const VERBS: readonly Verb[] = [
  ['open', async (files, path) => (await files.open(path)).close()],
  ['readFile', (files, path) => files.readFile(path)],
  ['createReadStream', async (files, path) => (await files.createReadStream(path)).destroy()],
  ['writeFile', (files, path) => files.writeFile(path, 'overwritten')],
  ['writeFile of a stream', (files, path) => files.writeFile(path, Readable.from(['overwritten']))],
  ['writeFile exclusive', (files, path) => files.writeFile(path, 'overwritten', { exclusive: true })],
  ['stat', (files, path) => files.stat(path)],
  ['exists', (files, path) => files.exists(path)],
  ['mkdir', (files, path) => files.mkdir(path)],
  ['remove', (files, path) => files.remove(path)],
];

afterEach(() => {
  jest.restoreAllMocks();
});

describe.each(await enginesHere())('a directory with path grants on %s', (_name, engine) => {
  const bench = useWorkbench(engine);
  const narrowed = (grants: readonly string[] = GRANTS): ConfinedDirectory =>
    bench().open(bench().root, { grants: grants.map(grantOf) });

  describe.each(VERBS)('%s', (name, call) => {
    it('is refused outside the grants before it looks at the disk, whether or not the path exists', async () => {
      await bench().plant(TREE);
      const before = snapshot(bench().base);
      const acquire = jest.spyOn(RootCache.prototype, 'acquire');
      const files = narrowed();
      const answers = new Set<string>();
      for (const path of [...OUTSIDE, ...OUTSIDE_AND_MISSING]) {
        const refusal = await refusalOf(() => call(files, path));
        expect([path, refusal]).toEqual([path, expect.any(PathEscapeException)]);
        expect(refusal).toMatchObject({ errorCode: 'path_escape', reason: 'outside_grant', status: 403 });
        answers.add(JSON.stringify((refusal as PathEscapeException).getResponse()));
      }
      expect(acquire).not.toHaveBeenCalled();
      expect(snapshot(bench().base)).toEqual(before);
      // One answer, and the one that `..` gets.
      const other = (await refusalOf(() => call(files, '../x'))) as PathEscapeException;
      expect([...answers]).toEqual([JSON.stringify(other.getResponse())]);
    });

    it('reaches all that without grants (control)', async () => {
      const outcomes = new Set<unknown>();
      for (const [index, path] of OUTSIDE.entries()) {
        const root = join(bench().base, `control-${index}`);
        await plantTree(root, TREE);
        outcomes.add(await outcomeOf(() => call(bench().open(root), path)));
      }
      expect(outcomes).not.toContain('path_escape');
      if (name !== 'writeFile exclusive') expect(outcomes).toContain('ok');
    });

    it('does inside the grants what it does without them', async () => {
      const inside = [
        'reports/q3.csv',
        'reports/empty',
        'reports',
        'a/b',
        'a/b/new/file',
        'one/file.txt',
        'reports/no',
      ];
      for (const [index, path] of inside.entries()) {
        const outcomes: unknown[] = [];
        for (const grants of [undefined, GRANTS.map(grantOf)]) {
          const root = join(bench().base, `${index}-${grants === undefined ? 'whole' : 'granted'}`);
          await plantTree(root, TREE);
          outcomes.push(await outcomeOf(() => call(bench().open(root, { grants }), path)));
        }
        expect(outcomes[1]).toBe(outcomes[0]);
        expect(outcomes[0]).not.toBe('path_escape');
      }
    });

    it('finds nothing with an empty list of grants', async () => {
      await bench().plant(TREE);
      const before = snapshot(bench().base);
      for (const path of ['report', 'reports/q3.csv', 'a', 'missing']) {
        expect(await outcomeOf(() => call(narrowed([]), path))).toBe('path_escape');
      }
      expect(snapshot(bench().base)).toEqual(before);
    });

    it('keeps to the grammar first, and refuses links that lie inside a grant', async () => {
      await bench().plant({
        ...TREE,
        granted: {
          link: symlink('../report'),
          'dir-link': symlink('../reports2'),
          'hard-link': hardLink('../report'),
        },
      });
      const before = snapshot(bench().base);
      const files = narrowed(['granted/**']);
      // What mkdir() says of a file's name is file_exists, hard link or not.
      const links = ['granted/link', 'granted/dir-link/x', 'granted/dir-link'];
      for (const path of [...links, ...(name === 'mkdir' ? [] : ['granted/hard-link'])]) {
        expect([path, await outcomeOf(() => call(files, path))]).toEqual([path, 'path_escape']);
      }
      for (const path of [
        'granted/../report',
        'granted/..',
        '../acme/granted/x',
        '/granted',
        'granted%2f..%2freport',
      ]) {
        expect([path, await outcomeOf(() => call(files, path))]).toEqual([path, 'path_escape']);
      }
      for (const path of ['', '.', 'granted/', 'granted//x', 'granted/**', '**', 'granted\\x', 'granted/./x']) {
        expect([path, await outcomeOf(() => call(files, path))]).toEqual([path, 'invalid_path']);
      }
      expect(snapshot(bench().base)).toEqual(before);
    });
  });

  it('reads, writes, makes and removes inside the grants', async () => {
    await bench().plant(TREE);
    const files = narrowed();
    expect(await files.readFile('reports/2024/q1.csv', { encoding: 'utf8' })).toBe('granted');
    await files.writeFile('one/file.txt', 'new');
    expect(readFileSync(join(bench().root, 'one/file.txt'), 'utf8')).toBe('new');
    await files.writeFile('a/b/new/file', 'new');
    expect(await files.exists('a/b/new/file')).toBe(true);
    expect(await files.exists('a/b/missing')).toBe(false);
    await files.remove('a/b/c.txt');
    expect(existsSync(join(bench().root, 'a/b/c.txt'))).toBe(false);
  });

  it('makes what is missing on the way to a grant, and lets none of it be named', async () => {
    const files = narrowed(['way/to/dir/**', 'way/file.txt']);
    for (const path of ['way', 'way/to']) expect(await outcomeOf(() => files.mkdir(path))).toBe('path_escape');
    expect(existsSync(join(bench().root, 'way'))).toBe(false);
    await files.mkdir('way/to/dir');
    await files.writeFile('way/file.txt', 'text');
    expect(readdirSync(join(bench().root, 'way')).sort()).toEqual(['file.txt', 'to']);
    for (const path of ['way', 'way/to']) expect(await outcomeOf(() => files.remove(path))).toBe('path_escape');
    await files.remove('way/to/dir');
    expect(readdirSync(join(bench().root, 'way/to'))).toEqual([]);
    expect(await outcomeOf(() => files.remove('way/to'))).toBe('path_escape');
    expect(existsSync(join(bench().root, 'way/to'))).toBe(true);
  });

  it('refuses a path outside the grants as such where nothing may be written at all', async () => {
    await bench().plant(TREE);
    const files = bench().open(bench().root, { grants: [grantOf('reports/**')], readOnly: true });
    expect(await outcomeOf(() => files.writeFile('report', 'x'))).toBe('path_escape');
    expect(await outcomeOf(() => files.writeFile('reports/x', 'x'))).toBe('storage_unavailable');
    expect(await outcomeOf(() => files.readFile('reports/q3.csv'))).toBe('ok');
  });

  describe('list()', () => {
    const REPORTS = ['reports/2024', 'reports/2024/q1.csv', 'reports/empty', 'reports/q3.csv'];

    it.each([
      [undefined, ['reports']],
      ['', ['reports']],
      ['reports', ['reports/2024', 'reports/empty', 'reports/q3.csv']],
      ['reports/2024', ['reports/2024/q1.csv']],
      ['reports/empty', []],
      ['a', ['a/b']],
      ['a/b', ['a/b/c.txt', 'a/b/d']],
      ['one', ['one/file.txt']],
    ])('of %p gives only what is granted', async (path, expected) => {
      await bench().plant(TREE);
      expect(await listedPaths(narrowed(), path)).toEqual(expected);
    });

    it('with recursive goes through what only leads to a grant, and does not give it', async () => {
      await bench().plant(TREE);
      const below = ['a/b/c.txt', 'a/b/d', 'a/b/d/e.txt'];
      expect(await listedPaths(narrowed(), '', { recursive: true })).toEqual([
        ...['a/b', ...below, 'one/file.txt', 'reports', ...REPORTS],
      ]);
      expect(await listedPaths(narrowed(), 'a', { recursive: true })).toEqual(['a/b', ...below]);
      expect(await listedPaths(narrowed(['reports/**']), '', { recursive: true })).toEqual(['reports', ...REPORTS]);
    });

    it('counts only what it gives', async () => {
      await bench().plant(TREE);
      for (const limit of [0, 1, 2, 3]) {
        expect(await listedPaths(narrowed(['a/b/**']), '', { recursive: true, limit })).toHaveLength(limit);
      }
    });

    it('gives nothing twice where grants overlap', async () => {
      await bench().plant(TREE);
      const files = narrowed(['reports/**', 'reports/2024/**', 'reports', 'reports/q3.csv', 'reports/**']);
      expect(await listedPaths(files, '', { recursive: true })).toEqual(['reports', ...REPORTS]);
    });

    it('of a directory under a grant for one file gives nothing that lies in it', async () => {
      await bench().plant(TREE);
      const files = narrowed(['reports']);
      expect(await listedPaths(files)).toEqual(['reports']);
      expect(await listedPaths(files, 'reports')).toEqual([]);
      expect(await listedPaths(files, '', { recursive: true })).toEqual(['reports']);
    });

    it('is empty with an empty list of grants', async () => {
      await bench().plant(TREE);
      expect(await listedPaths(narrowed([]))).toEqual([]);
      expect(await listedPaths(narrowed([]), '', { recursive: true })).toEqual([]);
    });

    it('does not read a directory that only leads to a grant', async () => {
      await bench().plant(TREE);
      const readDirectory = jest.spyOn(engine, 'readDirectory');
      const stat = jest.spyOn(engine, 'stat');
      const files = narrowed(['a/b/**']);
      expect(await listedPaths(files)).toEqual([]);
      expect(await listedPaths(files, 'a')).toEqual(['a/b']);
      expect(readDirectory).not.toHaveBeenCalled();
      expect(stat.mock.calls.map(([, path]) => path)).toEqual(['a', 'b']);
      // Nor one that has the name of a file that was granted.
      expect(await listedPaths(narrowed(['reports']), 'reports')).toEqual([]);
      expect(readDirectory).not.toHaveBeenCalled();
      // Control: one that is granted is read.
      await listedPaths(files, 'a/b');
      expect(readDirectory).toHaveBeenCalledTimes(1);
    });

    it.each([...OUTSIDE.filter((path) => path !== 'a' && path !== 'one'), ...OUTSIDE_AND_MISSING])(
      'of %p is refused before it looks at the disk',
      async (path) => {
        await bench().plant(TREE);
        const acquire = jest.spyOn(RootCache.prototype, 'acquire');
        const refusal = await refusalOf(() => listedPaths(narrowed(), path));
        expect(refusal).toMatchObject({ errorCode: 'path_escape', reason: 'outside_grant' });
        expect(acquire).not.toHaveBeenCalled();
        // Control: without grants nothing is wrong with the path.
        expect(await outcomeOf(() => listedPaths(bench().files, path))).not.toBe('path_escape');
      },
    );

    it('does not tell whether a directory exists that only leads to a grant, or is a file', async () => {
      const files = narrowed(['way/to/dir/**', 'file/below/**']);
      await bench().plant({ file: SECRET });
      for (const path of ['way', 'way/to', 'file']) {
        expect(await listedPaths(files, path)).toEqual([]);
        // Control: it is told to whoever is granted the directory.
        expect(await outcomeOf(() => listedPaths(bench().files, path))).toBe('file_not_found');
      }
      expect(await outcomeOf(() => listedPaths(files, 'way/to/dir'))).toBe('file_not_found');
      mkdirSync(join(bench().root, 'way'));
      expect(await listedPaths(files, 'way')).toEqual([]);
      rmSync(bench().root, { recursive: true });
      for (const path of ['', 'way', 'way/to']) expect(await listedPaths(files, path)).toEqual([]);
    });

    it('refuses a link that leads to a grant, and leaves out one that has its name', async () => {
      await bench().plant({ ...TREE, way: symlink('a'), dir: { link: symlink('../reports2') } });
      expect(await outcomeOf(() => listedPaths(narrowed(['way/b/**']), 'way'))).toBe('path_escape');
      expect(await outcomeOf(() => listedPaths(narrowed(['way/b/**']), 'way/b'))).toBe('path_escape');
      expect(await listedPaths(narrowed(['way/b/**', 'dir/link/**']), '', { recursive: true })).toEqual([]);
      expect(await listedPaths(narrowed(['dir/link/**']), 'dir')).toEqual([]);
    });
  });
});
