import { rmSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import type { ConfinedDirectory } from '../../src/confined-fs/confined-directory.js';
import type { FileStat } from '../../src/confined-fs/file-stat.js';
import type { ListOptions } from '../../src/confined-fs/list-entries.js';
import { KeyfenceConfigurationError } from '../../src/errors/configuration.error.js';
import { enginesHere } from '../support/engines.js';
import { fifo, hardLink, symlink, unixSocket, type Tree } from '../support/file-tree.js';
import { useWorkbench } from './every-engine.js';
import { outcomeOf } from './refusal-of.js';

const MODIFIED = new Date('2024-02-29T12:00:00Z');

const TREE: Tree = {
  'a.txt': 'text',
  '.hidden': '',
  empty: {},
  one: { 'b.txt': 'longer text', two: { 'c.txt': '', three: { 'd.txt': '' } } },
};

async function all(files: ConfinedDirectory, path?: string, options?: ListOptions): Promise<FileStat[]> {
  const found: FileStat[] = [];
  for await (const stat of files.list(path, options)) found.push(stat);
  return found.sort((a, b) => (a.path < b.path ? -1 : 1));
}

async function paths(files: ConfinedDirectory, path?: string, options?: ListOptions): Promise<string[]> {
  return (await all(files, path, options)).map((stat) => stat.path);
}

describe.each(await enginesHere())('list() on %s', (_name, engine) => {
  const bench = useWorkbench(engine);

  it('gives what lies in the directory itself', async () => {
    await bench().plant(TREE);
    expect(await paths(bench().files)).toEqual(['.hidden', 'a.txt', 'empty', 'one']);
    expect(await paths(bench().files, '')).toEqual(['.hidden', 'a.txt', 'empty', 'one']);
  });

  it('gives what lies in a directory below, by paths from the top', async () => {
    await bench().plant(TREE);
    expect(await paths(bench().files, 'one')).toEqual(['one/b.txt', 'one/two']);
    expect(await paths(bench().files, 'one/two/three')).toEqual(['one/two/three/d.txt']);
    expect(await paths(bench().files, 'empty')).toEqual([]);
  });

  it('gives what stat() gives', async () => {
    await bench().plant(TREE);
    for (const path of ['one/b.txt', 'one/two']) utimesSync(join(bench().root, path), MODIFIED, MODIFIED);
    const listed = await all(bench().files, 'one');
    expect(listed).toEqual([
      { path: 'one/b.txt', kind: 'file', size: 11, modifiedAt: MODIFIED },
      { path: 'one/two', kind: 'directory', size: 0, modifiedAt: MODIFIED },
    ]);
    expect(listed).toEqual([await bench().files.stat('one/b.txt'), await bench().files.stat('one/two')]);
  });

  it('goes down with recursive', async () => {
    await bench().plant(TREE);
    const below = ['one/b.txt', 'one/two', 'one/two/c.txt', 'one/two/three', 'one/two/three/d.txt'];
    expect(await paths(bench().files, '', { recursive: true })).toEqual(['.hidden', 'a.txt', 'empty', 'one', ...below]);
    expect(await paths(bench().files, 'one', { recursive: true })).toEqual(below);
  });

  it.each([0, 1, 3, 9, 10])('stops at the limit of %d', async (limit) => {
    await bench().plant(TREE);
    expect(await paths(bench().files, '', { recursive: true, limit })).toHaveLength(Math.min(limit, 9));
    expect(await paths(bench().files, '', { limit })).toHaveLength(Math.min(limit, 4));
  });

  it.each([NaN, -1, 0.5, Infinity])('does not take %d for no limit', async (limit) => {
    await bench().plant(TREE);
    await expect(paths(bench().files, '', { limit })).rejects.toBeInstanceOf(KeyfenceConfigurationError);
  });

  it('lists five hundred entries', async () => {
    const names = Array.from({ length: 500 }, (_, index) => `file-${index}`);
    await bench().plant({ many: Object.fromEntries(names.map((name) => [name, ''])) });
    expect(await paths(bench().files, 'many')).toEqual(names.map((name) => `many/${name}`).sort());
  });

  it('leaves out links, special files, temporary files and names that no path could give', async () => {
    await bench().plant({
      ...TREE,
      'link-to-file': symlink('a.txt'),
      'link-to-directory': symlink('one'),
      'link-out': symlink('/etc'),
      'link-nowhere': symlink('missing'),
      second: { 'original.txt': '', 'name.txt': hardLink('original.txt') },
      pipe: fifo(),
      socket: unixSocket(),
      '.keyfence-1-1-abc.tmp': 'half a file',
      'back\\slash': '',
      'new\nline': '',
      'trailing ': '',
      CON: '',
      'PROGRA~1': '',
      '%2e%2e': '',
    });
    expect(await paths(bench().files, '', { recursive: true })).toEqual([
      ...['.hidden', 'a.txt', 'empty', 'one', 'one/b.txt', 'one/two', 'one/two/c.txt', 'one/two/three'],
      ...['one/two/three/d.txt', 'second'],
    ]);
  });

  it('leaves out a directory that is replaced by a link while it is being listed', async () => {
    await bench().plant({ swapped: { 'mine.txt': '' } });
    await bench().plant({ '../outside': { 'secret.txt': '' } });
    const found: string[] = [];
    for await (const { path } of bench().files.list('', { recursive: true })) {
      found.push(path);
      rmSync(join(bench().root, 'swapped'), { recursive: true });
      symlinkSync('../outside', join(bench().root, 'swapped'));
    }
    expect(found).toEqual(['swapped']);
  });

  it('leaves out a directory that is gone before it is entered', async () => {
    await bench().plant({ gone: { file: '' } });
    const found: string[] = [];
    for await (const { path } of bench().files.list('', { recursive: true })) {
      found.push(path);
      rmSync(join(bench().root, 'gone'), { recursive: true });
    }
    expect(found).toEqual(['gone']);
  });

  it('closes what it opened when the caller stops early', async () => {
    await bench().plant(TREE);
    for await (const { path } of bench().files.list('', { recursive: true })) if (path !== '') break;
    // The workbench counts the descriptors after the test.
  });

  it('gives every entry of a directory that is written to meanwhile, and no temporary file', async () => {
    await bench().plant({ 'a.txt': '', 'b.txt': '' });
    const found: string[] = [];
    for await (const { path } of bench().files.list()) {
      found.push(path);
      writeFileSync(join(bench().root, '.keyfence-2-2-abc.tmp'), '');
    }
    expect(found.sort()).toEqual(['a.txt', 'b.txt']);
  });

  it.each([
    ['missing', 'file_not_found'],
    ['a.txt', 'file_not_found'],
    ['one/b.txt', 'file_not_found'],
    ['pipe', 'file_not_found'],
    ['link', 'path_escape'],
    ['..', 'path_escape'],
    ['/', 'path_escape'],
    ['.', 'invalid_path'],
    ['one/', 'invalid_path'],
  ])('refuses %p with %s', async (path, errorCode) => {
    await bench().plant({ ...TREE, link: symlink('one'), pipe: fifo() });
    expect(await outcomeOf(() => all(bench().files, path))).toBe(errorCode);
  });

  it('finds nothing where the tenant has written nothing yet, but no directory below it either', async () => {
    rmSync(bench().root, { recursive: true });
    expect(await paths(bench().files)).toEqual([]);
    expect(await paths(bench().files, '', { recursive: true })).toEqual([]);
    expect(await outcomeOf(() => paths(bench().files, 'one'))).toBe('file_not_found');
  });
});
