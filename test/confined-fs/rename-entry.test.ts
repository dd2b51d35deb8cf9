import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, expect, it, jest } from '@jest/globals';
import type { ConfinedDirectory } from '../../src/confined-fs/confined-directory.js';
import { RootCache } from '../../src/confined-fs/root-cache.js';
import { enginesHere, notTestedHere } from '../support/engines.js';
import { fifo, hardLink, symlink, unixSocket, type Tree } from '../support/file-tree.js';
import { useWorkbench } from './every-engine.js';
import { grantOf } from './path-grants.js';
import { outcomeOf, refusalOf } from './refusal-of.js';
import { snapshot } from './snapshot.js';

const TREE: Tree = {
  'file.txt': 'text',
  'other.txt': 'other',
  directory: { 'inner.txt': 'inner', deep: { 'leaf.txt': 'leaf' } },
  empty: {},
  full: { 'kept.txt': 'kept' },
};

/** Paths that no verb takes: what they name, or what is on the way, is no plain file and no plain directory. */
const LINKED = ['link-out', 'link-inside', 'link-nowhere', 'dir-link', 'dir-link/secret.txt', 'hard', 'pipe', 'socket'];

const PLANTED: Tree = {
  ...TREE,
  '../outside': { 'secret.txt': 'outside' },
  'link-out': symlink('../outside/secret.txt'),
  'link-inside': symlink('file.txt'),
  'link-nowhere': symlink('nowhere'),
  'dir-link': symlink('../outside'),
  hard: hardLink('../outside/secret.txt'),
  pipe: fifo(),
  socket: unixSocket(),
};

afterEach(() => {
  jest.restoreAllMocks();
});

describe.each(await enginesHere())('rename() on %s', (_name, engine) => {
  const bench = useWorkbench(engine);
  const content = (path: string): string => readFileSync(join(bench().root, path), 'utf8');
  const names = (path = ''): string[] => readdirSync(join(bench().root, path)).sort();
  const inode = (path: string): number => statSync(join(bench().root, path)).ino;
  const granted = (...grants: readonly string[]): ConfinedDirectory =>
    bench().open(bench().root, { grants: grants.map(grantOf) });

  /** Every refusal leaves everything as it was, beside the directory too. */
  async function expectRefused(errorCode: string, call: () => unknown): Promise<void> {
    const before = snapshot(bench().base);
    expect(await outcomeOf(call)).toBe(errorCode);
    expect(snapshot(bench().base)).toEqual(before);
  }

  describe.each([{}, { replace: true }, { replace: false }])('with %j', (options) => {
    it.each([
      ['file.txt', 'new.txt'],
      ['file.txt', 'directory/new.txt'],
      ['directory/inner.txt', 'new.txt'],
      ['directory/deep/leaf.txt', 'full/new.txt'],
      ['file.txt', 'made/on/the/way/new.txt'],
    ])('moves the file %s to %s: the same file, whole', async (from, to) => {
      await bench().plant(TREE);
      const [text, ino] = [content(from), inode(from)];
      await bench().files.rename(from, to, options);
      expect([content(to), inode(to), statSync(join(bench().root, to)).nlink]).toEqual([text, ino, 1]);
      expect(await bench().files.exists(from)).toBe(false);
      expect(await bench().files.readFile(to, { encoding: 'utf8' })).toBe(text);
    });

    it.each([
      ['directory', 'new'],
      ['directory', 'full/new'],
      ['directory/deep', 'new'],
      ['empty', 'directory/deep/new'],
      ['directory', 'made/on/the/way/new'],
    ])('moves the directory %s to %s with all that is in it', async (from, to) => {
      await bench().plant(TREE);
      const [inside, ino] = [names(from), inode(from)];
      await bench().files.rename(from, to, options);
      expect([names(to), inode(to)]).toEqual([inside, ino]);
      expect(await bench().files.exists(from)).toBe(false);
    });

    it('makes missing parents with mode 0750', async () => {
      await bench().plant(TREE);
      const original = process.umask(0);
      try {
        await bench().files.rename('file.txt', 'one/two/file.txt', options);
      } finally {
        process.umask(original);
      }
      for (const path of ['one', 'one/two']) expect(statSync(join(bench().root, path)).mode & 0o7777).toBe(0o750);
    });

    it.each([
      ['file.txt', 'empty', { replace: 'not_a_file', keep: 'file_exists' }],
      ['file.txt', 'full', { replace: 'not_a_file', keep: 'file_exists' }],
      ['directory', 'file.txt', { replace: 'file_exists', keep: 'file_exists' }],
      ['directory', 'full', { replace: 'directory_not_empty', keep: 'file_exists' }],
      ['directory/deep', 'directory', { replace: 'directory_not_empty', keep: 'file_exists' }],
      ['directory/inner.txt', 'directory', { replace: 'not_a_file', keep: 'file_exists' }],
    ])('refuses %s to %s: %j', async (from, to, expected) => {
      await bench().plant(TREE);
      const errorCode = options.replace === false ? expected.keep : expected.replace;
      await expectRefused(errorCode, () => bench().files.rename(from, to, options));
    });

    it.each([
      ['directory', 'directory/new', 'invalid_path'],
      ['directory', 'directory/deep/new', 'invalid_path'],
      ['directory', 'directory/made/new', 'invalid_path'],
      ['file.txt', 'file.txt/new', 'invalid_path'],
      ['missing', 'new', 'file_not_found'],
      ['missing', 'made/new', 'file_not_found'],
      ['missing/below', 'made/new', 'file_not_found'],
      ['file.txt/below', 'made/new', 'file_not_found'],
      ['other.txt', 'file.txt/new', 'not_a_file'],
      ['other.txt', 'file.txt/made/new', 'not_a_file'],
      ['directory', 'file.txt/new', 'not_a_file'],
      ['', 'new', 'invalid_path'],
      ['file.txt', '', 'invalid_path'],
      ['file.txt', '.', 'invalid_path'],
      ['file.txt', 'new/', 'invalid_path'],
      ['file.txt', '.keyfence-1.tmp', 'invalid_path'],
      ['.keyfence-1.tmp', 'new', 'invalid_path'],
      ['file.txt', '../new', 'path_escape'],
      ['../outside/secret.txt', 'new', 'path_escape'],
      ['file.txt', '/new', 'path_escape'],
      ['file.txt', 'directory/..%2f..%2fnew', 'path_escape'],
    ])('refuses %p to %p with %s', async (from, to, errorCode) => {
      await bench().plant({ ...TREE, '../outside': { 'secret.txt': 'outside' } });
      await expectRefused(errorCode, () => bench().files.rename(from, to, options));
    });

    it.each(LINKED)('refuses %s as the source', async (from) => {
      await bench().plant(PLANTED);
      for (const to of ['new', 'made/new', 'file.txt', 'empty']) {
        await expectRefused('path_escape', () => bench().files.rename(from, to, options));
      }
      expect(readFileSync(join(bench().base, 'outside/secret.txt'), 'utf8')).toBe('outside');
    });

    it.each([...LINKED, 'dir-link/missing.txt', 'dir-link/missing/new'])('refuses %s as the target', async (to) => {
      await bench().plant(PLANTED);
      for (const from of ['file.txt', 'directory']) {
        await expectRefused('path_escape', () => bench().files.rename(from, to, options));
      }
      expect(readFileSync(join(bench().base, 'outside/secret.txt'), 'utf8')).toBe('outside');
    });

    it('does nothing at all where files are read-only', async () => {
      await bench().plant(TREE);
      const files = bench().open(bench().root, { readOnly: true });
      await expectRefused('storage_unavailable', () => files.rename('file.txt', 'made/new', options));
      await expectRefused('storage_unavailable', () => files.rename('missing', 'new', options));
      await expectRefused('path_escape', () => files.rename('file.txt', '../new', options));
      await expectRefused('path_escape', () => files.rename('../file.txt', 'new', options));
    });

    it('finds nothing, and makes nothing, where nothing was written yet', async () => {
      const files = bench().open(join(bench().base, 'unwritten'));
      await expectRefused('file_not_found', () => files.rename('file.txt', 'new', options));
      expect(existsSync(join(bench().base, 'unwritten'))).toBe(false);
    });
  });

  it('replaces a file, and an empty directory', async () => {
    await bench().plant(TREE);
    const inodes = [inode('file.txt'), inode('directory')];
    await bench().files.rename('file.txt', 'other.txt');
    await bench().files.rename('directory', 'empty');
    expect([inode('other.txt'), inode('empty')]).toEqual(inodes);
    expect(content('other.txt')).toBe('text');
    expect(content('empty/deep/leaf.txt')).toBe('leaf');
    expect(names()).toEqual(['empty', 'full', 'other.txt']);
  });

  it.each([
    ['file.txt', 'other.txt'],
    ['file.txt', 'full/kept.txt'],
    ['directory', 'empty'],
    ['empty', 'full'],
  ])('without replace refuses %s to %s', async (from, to) => {
    await bench().plant(TREE);
    await expectRefused('file_exists', () => bench().files.rename(from, to, { replace: false }));
  });

  it.each(['file.txt', 'directory', 'empty', 'full', 'directory/deep/leaf.txt'])(
    'of %s onto itself does nothing; without replace its name is taken',
    async (path) => {
      await bench().plant(TREE);
      await expectRefused('ok', () => bench().files.rename(path, path));
      await expectRefused('file_exists', () => bench().files.rename(path, path, { replace: false }));
    },
  );

  it('is not misled by a name that begins as another does', async () => {
    await bench().plant(TREE);
    await bench().files.rename('directory', 'directory-2/new');
    expect(content('directory-2/new/inner.txt')).toBe('inner');
  });

  it('of twenty files to one name without replace lets one through', async () => {
    const from = Array.from({ length: 20 }, (_, index) => `file-${index}`);
    await bench().plant(Object.fromEntries(from.map((name) => [name, name])));
    const calls = from.map((name) => outcomeOf(() => bench().files.rename(name, 'dir/new', { replace: false })));
    const outcomes = await Promise.all(calls);
    expect(outcomes.filter((outcome) => outcome === 'ok')).toHaveLength(1);
    expect(outcomes.filter((outcome) => outcome === 'file_exists')).toHaveLength(19);
    expect(content('dir/new')).toBe(from[outcomes.indexOf('ok')]);
    expect(names()).toHaveLength(20);
  });

  it('names no path in a refusal', async () => {
    await bench().plant(TREE);
    for (const [from, to] of [
      ['missing', 'new'],
      ['directory', 'full'],
    ] as const) {
      const refusal = await refusalOf(() => bench().files.rename(from, to));
      expect(JSON.stringify(refusal) + String(refusal)).not.toContain(bench().base);
      expect(refusal.cause).toBeUndefined();
    }
  });

  describe('with path grants', () => {
    it('moves files and directories inside of them, and from one to another', async () => {
      await bench().plant(TREE);
      const files = granted('directory/**', 'full/**', 'file.txt', 'way/to/**');
      await files.rename('directory/inner.txt', 'full/moved.txt');
      await files.rename('directory/deep', 'full/deep');
      await files.rename('file.txt', 'directory/file.txt');
      await files.rename('full/moved.txt', 'file.txt');
      await files.rename('full/deep', 'way/to/deep');
      expect(content('directory/file.txt')).toBe('text');
      expect(content('file.txt')).toBe('inner');
      expect(content('way/to/deep/leaf.txt')).toBe('leaf');
      expect(names('full')).toEqual(['kept.txt']);
    });

    it.each([
      ['directory/inner.txt', 'other.txt'],
      ['directory/inner.txt', 'made/new'],
      ['directory', 'made/new'],
      ['directory', 'made'],
      ['file.txt', 'directory/new'],
      ['full/kept.txt', 'directory/new'],
      ['missing', 'directory/new'],
      ['directory/missing', 'missing/new'],
    ])('refuses %s to %s before it looks at the disk', async (from, to) => {
      await bench().plant(TREE);
      const acquire = jest.spyOn(RootCache.prototype, 'acquire');
      await expectRefused('path_escape', () => granted('directory/**').rename(from, to));
      const refusal = await refusalOf(() => granted('directory/**').rename(from, to));
      expect(refusal).toMatchObject({ reason: 'outside_grant', status: 403 });
      expect(acquire).not.toHaveBeenCalled();
    });

    it('does not move a directory that has the name of a file that was granted', async () => {
      await bench().plant(TREE);
      for (const replace of [true, false]) {
        const files = granted('directory', 'made/**');
        await expectRefused('path_escape', () => files.rename('directory', 'made/new', { replace }));
      }
    });

    it('does not move a directory to the name of a file that is granted', async () => {
      await bench().plant(TREE);
      const files = granted('directory/**', 'made/new', 'empty');
      for (const to of ['made/new', 'empty']) {
        await expectRefused('path_escape', () => files.rename('directory', to));
        await expectRefused('path_escape', () => files.rename('directory/deep', to));
      }
      // Control: a file may go there.
      await files.rename('directory/inner.txt', 'made/new');
      expect(content('made/new')).toBe('inner');
    });

    it('moves nothing with an empty list of grants', async () => {
      await bench().plant(TREE);
      await expectRefused('path_escape', () => granted().rename('file.txt', 'new'));
    });
  });
});

describe.each(await enginesHere(['openat2', 'procfs']))('rename() and mounts on %s', (_name, engine) => {
  const bench = useWorkbench(engine);

  it('refuses a mount as the source, as the target and on the way', async () => {
    await bench().plant({
      ...TREE,
      '../outside': { 'secret.txt': 'outside' },
      bind: {},
      'bound.txt': '',
    });
    const { base, root, files } = bench();
    const outside = join(base, 'outside');
    const mounted: string[] = [];
    const mount = (from: string, to: string): void => {
      execFileSync('mount', ['--bind', from, to], { stdio: 'pipe' });
      mounted.push(to);
    };
    try {
      try {
        mount(outside, join(root, 'bind'));
        mount(join(outside, 'secret.txt'), join(root, 'bound.txt'));
      } catch {
        notTestedHere('rename() and mounts', 'Run as root with CAP_SYS_ADMIN.');
        return;
      }
      const before = snapshot(base);
      for (const replace of [true, false]) {
        for (const from of ['bind', 'bind/secret.txt', 'bound.txt']) {
          expect([from, await outcomeOf(() => files.rename(from, 'made/new', { replace }))]).toEqual([
            from,
            'path_escape',
          ]);
        }
        for (const from of ['file.txt', 'directory']) {
          for (const to of ['bind', 'bind/secret.txt', 'bind/new', 'bind/made/new', 'bound.txt']) {
            expect([to, await outcomeOf(() => files.rename(from, to, { replace }))]).toEqual([to, 'path_escape']);
          }
        }
      }
      expect(snapshot(base)).toEqual(before);
    } finally {
      for (const target of mounted.reverse()) execFileSync('umount', ['-l', target]);
    }
    expect(readFileSync(join(outside, 'secret.txt'), 'utf8')).toBe('outside');
  });
});
