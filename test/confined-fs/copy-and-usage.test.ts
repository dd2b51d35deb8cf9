import { chmodSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, expect, it, jest } from '@jest/globals';
import { RootCache } from '../../src/confined-fs/root-cache.js';
import { enginesHere } from '../support/engines.js';
import { fifo, hardLink, symlink, type Tree } from '../support/file-tree.js';
import { useWorkbench } from './every-engine.js';
import { grantOf } from './path-grants.js';
import { outcomeOf } from './refusal-of.js';
import { snapshot } from './snapshot.js';

const TREE: Tree = { 'file.txt': 'text', 'other.txt': 'another', dir: { 'inner.txt': 'inner', deep: { leaf: 'x' } } };
const LINKS: Tree = {
  '../outside': { 'secret.txt': 'outside' },
  link: symlink('../outside/secret.txt'),
  'dir-link': symlink('../outside'),
  hard: hardLink('../outside/secret.txt'),
  pipe: fifo(),
};

afterEach(() => {
  jest.restoreAllMocks();
});

describe.each(await enginesHere())('copy() and usage() on %s', (_name, engine) => {
  const bench = useWorkbench(engine);
  const content = (path: string): string => readFileSync(join(bench().root, path), 'utf8');

  /** Every refusal leaves everything as it was; the workbench sees to it that no file stays open. */
  async function expectRefused(errorCode: string, call: () => unknown): Promise<void> {
    const before = snapshot(bench().base);
    expect(await outcomeOf(call)).toBe(errorCode);
    expect(snapshot(bench().base)).toEqual(before);
  }

  describe('copy()', () => {
    it.each([0, 1, 64 * 1024 + 1, 1_000_000])('gives the bytes of a file of %d, and keeps it', async (size) => {
      const bytes = Buffer.alloc(size, 'keyfence');
      await bench().plant({ file: bytes });
      expect(await bench().files.copy('file', 'made/new')).toMatchObject({ path: 'made/new', kind: 'file', size });
      for (const path of ['file', 'made/new']) {
        expect(readFileSync(join(bench().root, path)).equals(bytes)).toBe(true);
      }
      expect(readdirSync(join(bench().root, 'made'))).toEqual(['new']);
    });

    it.each([0o600, 0o777, 0o4755])('of a file of mode %o has mode 0640', async (mode) => {
      await bench().plant(TREE);
      chmodSync(join(bench().root, 'file.txt'), mode);
      const original = process.umask(0);
      try {
        await bench().files.copy('file.txt', 'new');
      } finally {
        process.umask(original);
      }
      expect(statSync(join(bench().root, 'new')).mode & 0o7777).toBe(0o640);
    });

    it('replaces a file by a new one, and may be onto itself', async () => {
      await bench().plant(TREE);
      const before = statSync(join(bench().root, 'other.txt')).ino;
      await bench().files.copy('file.txt', 'other.txt');
      expect(statSync(join(bench().root, 'other.txt')).ino).not.toBe(before);
      await bench().files.copy('file.txt', 'file.txt');
      expect([content('file.txt'), content('other.txt')]).toEqual(['text', 'text']);
      expect(readdirSync(bench().root).sort()).toEqual(['dir', 'file.txt', 'other.txt']);
    });

    it('leaves the old file and no temporary one where it fails half-way', async () => {
      await bench().plant({ ...TREE, large: Buffer.alloc(300_000) });
      const full = Object.assign(new Error('ENOSPC: full'), { code: 'ENOSPC', syscall: 'rename' });
      jest.spyOn(engine, 'rename').mockImplementation(() => {
        throw full;
      });
      expect(await outcomeOf(() => bench().files.copy('large', 'file.txt'))).toBe('storage_unavailable');
      expect(content('file.txt')).toBe('text');
      expect(readdirSync(bench().root).sort()).toEqual(['dir', 'file.txt', 'large', 'other.txt']);
    });

    it.each([
      ['dir', 'new', 'not_a_file'],
      ['file.txt', 'dir', 'not_a_file'],
      ['file.txt', 'other.txt/below', 'not_a_file'],
      ['missing', 'made/new', 'file_not_found'],
      ['file.txt', '../new', 'path_escape'],
      ['../outside/secret.txt', 'new', 'path_escape'],
      ['', 'new', 'invalid_path'],
      ['file.txt', '', 'invalid_path'],
      ...['link', 'dir-link', 'dir-link/secret.txt', 'hard', 'pipe'].flatMap((path) => [
        [path, 'made/new', 'path_escape'] as const,
        ['file.txt', path, 'path_escape'] as const,
      ]),
      ['file.txt', 'dir-link/new', 'path_escape'],
    ])('refuses %p to %p with %s', async (from, to, errorCode) => {
      await bench().plant({ ...TREE, ...LINKS });
      await expectRefused(errorCode, () => bench().files.copy(from, to));
    });

    it('does nothing where files are read-only', async () => {
      await bench().plant(TREE);
      const files = bench().open(bench().root, { readOnly: true });
      await expectRefused('storage_unavailable', () => files.copy('file.txt', 'new'));
    });

    it('keeps to the grants, before it looks at the disk', async () => {
      await bench().plant(TREE);
      const files = bench().open(bench().root, { grants: [grantOf('dir/**')] });
      const acquire = jest.spyOn(RootCache.prototype, 'acquire');
      await expectRefused('path_escape', () => files.copy('dir/inner.txt', 'made/new'));
      await expectRefused('path_escape', () => files.copy('dir/missing', 'made/new'));
      await expectRefused('path_escape', () => files.copy('file.txt', 'dir/new'));
      expect(acquire).not.toHaveBeenCalled();
      await files.copy('dir/inner.txt', 'dir/new');
      expect(content('dir/new')).toBe('inner');
    });
  });

  describe('usage()', () => {
    it('counts the files of all levels and their bytes, and no link', async () => {
      await bench().plant({ ...TREE, ...LINKS, empty: '' });
      const before = snapshot(bench().base);
      expect(await bench().files.usage()).toEqual({ bytes: 4 + 7 + 5 + 1, files: 5 });
      expect(await (await bench().files.subdirectory('dir')).usage()).toEqual({ bytes: 6, files: 2 });
      expect(snapshot(bench().base)).toEqual(before);
    });

    it('is nothing of an empty directory and of one that was not written yet', async () => {
      expect(await bench().files.usage()).toEqual({ bytes: 0, files: 0 });
      expect(await bench().open(join(bench().base, 'unwritten')).usage()).toEqual({ bytes: 0, files: 0 });
    });

    it('counts what is granted, once', async () => {
      await bench().plant(TREE);
      const usageOf = (...grants: readonly string[]): Promise<unknown> =>
        bench()
          .open(bench().root, { grants: grants.map(grantOf) })
          .usage();
      expect(await usageOf('dir/**', 'dir/deep/**', 'file.txt')).toEqual({ bytes: 10, files: 3 });
      expect(await usageOf('dir/deep/**')).toEqual({ bytes: 1, files: 1 });
      expect(await usageOf('dir')).toEqual({ bytes: 0, files: 0 });
      expect(await usageOf()).toEqual({ bytes: 0, files: 0 });
    });
  });
});
