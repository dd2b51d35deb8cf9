import { execFileSync } from 'node:child_process';
import { existsSync, lstatSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, expect, it, jest } from '@jest/globals';
import { RootCache } from '../../src/confined-fs/root-cache.js';
import { KeyfenceConfigurationError } from '../../src/errors/configuration.error.js';
import { enginesHere, notTestedHere } from '../support/engines.js';
import { fifo, hardLink, symlink, unixSocket, type Tree } from '../support/file-tree.js';
import { useWorkbench } from './every-engine.js';
import { listedPaths } from './listed-paths.js';
import { grantOf } from './path-grants.js';
import { outcomeOf, refusalOf } from './refusal-of.js';
import { snapshot } from './snapshot.js';

/** Seven entries, in three levels. */
const TREE: Tree = { 'a.txt': 'text', b: { 'c.txt': 'text', d: { 'e.txt': 'text', f: {} } }, g: {} };
const ENTRIES = 7;

const WITNESS: Tree = { '../outside': { 'secret.txt': 'outside', deep: { 'secret.txt': 'outside' } } };

/** A chain of directories whose path is longer than PATH_MAX, with a file at its end. */
function plantDeepTree(directory: string, depth: number): void {
  const script = `
    const { mkdirSync, writeFileSync } = require('node:fs');
    process.chdir(process.argv[1]);
    for (let depth = 0; depth < ${depth}; depth += 1) {
      mkdirSync('d');
      process.chdir('d');
    }
    writeFileSync('leaf', '');
  `;
  execFileSync(process.execPath, ['-e', script, directory]);
}

afterEach(() => {
  jest.restoreAllMocks();
});

describe.each(await enginesHere())('removeTree() on %s', (_name, engine) => {
  const bench = useWorkbench(engine);
  const names = (path = ''): string[] => readdirSync(join(bench().root, path)).sort();

  async function expectRefused(errorCode: string, call: () => unknown): Promise<void> {
    const before = snapshot(bench().base);
    expect(await outcomeOf(call)).toBe(errorCode);
    expect(snapshot(bench().base)).toEqual(before);
  }

  it.each([
    ['an empty directory', {}],
    ['files', { a: '', b: 'text' }],
    ['a nested tree', TREE],
    ['names outside the grammar', { 'a\\b': '', 'nul.txt': '', '.keyfence-1.tmp': '', 'sp ace ': { 'x:y': '' } }],
  ])('removes %s, and nothing beside it', async (_tree, tree) => {
    await bench().plant({ tree, 'tree-2': TREE, 'file.txt': 'text', one: { tree, other: '' } });
    const beside = snapshot(join(bench().root, 'tree-2'));
    await bench().files.removeTree('tree');
    expect(names()).toEqual(['file.txt', 'one', 'tree-2']);
    await bench().files.removeTree('one/tree');
    expect(names('one')).toEqual(['other']);
    expect(snapshot(join(bench().root, 'tree-2'))).toEqual(beside);
  });

  it('removes some thousand entries, flat and nested', async () => {
    const flat = Object.fromEntries(Array.from({ length: 1_000 }, (_, index) => [`file-${index}`, '']));
    const nested = Object.fromEntries(
      Array.from({ length: 150 }, (_, index) => [`dir-${index}`, { a: { b: { file: '' }, c: {} }, file: '' }]),
    );
    await bench().plant({ tree: { flat, nested } });
    await bench().files.removeTree('tree');
    expect(names()).toEqual([]);
  });

  it('removes a tree that is deeper than PATH_MAX', async () => {
    await bench().plant({ tree: { 'file.txt': '' } });
    plantDeepTree(join(bench().root, 'tree'), 2_500);
    await bench().files.removeTree('tree');
    expect(names()).toEqual([]);
  }, 30_000);

  it('removes links, FIFOs and sockets, and nothing that a link leads to', async () => {
    await bench().plant(WITNESS);
    const links: Tree = {
      'link-out': symlink('../../outside/secret.txt'),
      'dir-link': symlink('../../outside'),
      absolute: symlink(join(bench().base, 'outside')),
      loop: symlink('loop'),
      nowhere: symlink('nowhere'),
      pipe: fifo(),
      socket: unixSocket(),
    };
    const hard = hardLink(join(bench().base, 'outside/secret.txt'));
    await bench().plant({ tree: { ...links, hard, below: { deep: { ...links, up: symlink('..'), hard } } } });
    await bench().files.removeTree('tree');
    expect(names()).toEqual([]);
    expect(readdirSync(join(bench().base, 'outside')).sort()).toEqual(['deep', 'secret.txt']);
    for (const path of ['outside/secret.txt', 'outside/deep/secret.txt']) {
      expect(readFileSync(join(bench().base, path), 'utf8')).toBe('outside');
      expect(lstatSync(join(bench().base, path)).nlink).toBe(1);
    }
  });

  it.each([
    ['file.txt', 'not_a_file'],
    ['missing', 'file_not_found'],
    ['missing/below', 'file_not_found'],
    ['file.txt/below', 'file_not_found'],
    ['', 'invalid_path'],
    ['.', 'invalid_path'],
    ['tree/', 'invalid_path'],
    ['..', 'path_escape'],
    ['../outside', 'path_escape'],
    ['/', 'path_escape'],
    ['link', 'path_escape'],
    ['dir-link', 'path_escape'],
    ['dir-link/deep', 'path_escape'],
    ['dir-link/missing', 'path_escape'],
    ['tree-link', 'path_escape'],
    ['tree-link/b', 'path_escape'],
    ['hard', 'path_escape'],
    ['pipe', 'path_escape'],
    ['socket', 'path_escape'],
  ])('refuses %p with %s, and leaves it', async (path, errorCode) => {
    await bench().plant({
      ...WITNESS,
      ...{ tree: TREE, 'file.txt': 'text', 'tree-link': symlink('tree'), pipe: fifo(), socket: unixSocket() },
      ...{ link: symlink('file.txt'), 'dir-link': symlink('../outside'), hard: hardLink('../outside/secret.txt') },
    });
    await expectRefused(errorCode, () => bench().files.removeTree(path));
  });

  it('is gone for others at once, and its name is free', async () => {
    await bench().plant({ tree: TREE });
    const { files } = bench();
    const removed = files.removeTree('tree');
    expect(existsSync(join(bench().root, 'tree'))).toBe(false);
    expect(await listedPaths(files, '', { recursive: true })).toEqual([]);
    await files.writeFile('tree/new.txt', 'new');
    await removed;
    expect(names()).toEqual(['tree']);
    expect(names('tree')).toEqual(['new.txt']);
  });

  it('twice at once: one removes it, the other finds nothing', async () => {
    await bench().plant({ tree: TREE });
    const calls = [1, 2].map(() => outcomeOf(() => bench().files.removeTree('tree')));
    expect((await Promise.all(calls)).sort()).toEqual(['file_not_found', 'ok']);
    expect(names()).toEqual([]);
  });

  it('of a tree and of one in it at once leaves nothing', async () => {
    await bench().plant({ tree: { inner: TREE, 'file.txt': '', other: TREE } });
    const { files } = bench();
    const calls = ['tree/inner', 'tree', 'tree/other'].map((path) => outcomeOf(() => files.removeTree(path)));
    const [inner, tree, other] = await Promise.all(calls);
    expect(other).toBe('file_not_found');
    expect(tree).toBe('ok');
    expect(['ok', 'file_not_found']).toContain(inner);
    expect(names()).toEqual([]);
  });

  describe('maxEntries', () => {
    it.each([ENTRIES, ENTRIES + 1])('of %d is enough for seven', async (maxEntries) => {
      await bench().plant({ tree: TREE });
      await bench().files.removeTree('tree', { maxEntries });
      expect(names()).toEqual([]);
    });

    it('of 0 is enough for an empty directory', async () => {
      await bench().plant({ tree: {} });
      await bench().files.removeTree('tree', { maxEntries: 0 });
      expect(names()).toEqual([]);
    });

    it.each([0, 1, ENTRIES - 1])('of %d is not: what is left cannot be reached', async (maxEntries) => {
      await bench().plant({ ...WITNESS, dir: { tree: TREE, 'kept.txt': 'kept' }, tree: TREE });
      const beside = [snapshot(join(bench().base, 'outside')), snapshot(join(bench().root, 'tree'))];
      const refusal = await refusalOf(() => bench().files.removeTree('dir/tree', { maxEntries }));
      expect(refusal).toMatchObject({ errorCode: 'quota_exceeded', status: 507 });
      expect(await listedPaths(bench().files, 'dir', { recursive: true })).toEqual(['dir/kept.txt']);
      const [left] = names('dir').filter((name) => name !== 'kept.txt');
      expect(left).toMatch(/^\.keyfence-/);
      expect(await outcomeOf(() => bench().files.stat(`dir/${left}`))).toBe('invalid_path');
      expect([snapshot(join(bench().base, 'outside')), snapshot(join(bench().root, 'tree'))]).toEqual(beside);
      // It goes with the directory that it lies in.
      await bench().files.removeTree('dir');
      expect(names()).toEqual(['tree']);
    });

    it.each([NaN, -1, 0.5, Infinity])('does not take %d for no limit', async (maxEntries) => {
      await bench().plant({ tree: TREE });
      const before = snapshot(bench().root);
      const removed = bench().files.removeTree('tree', { maxEntries });
      await expect(removed).rejects.toBeInstanceOf(KeyfenceConfigurationError);
      expect(snapshot(bench().root)).toEqual(before);
    });
  });

  it('tells where an entry cannot be removed', async () => {
    await bench().plant({ tree: TREE });
    const denied = Object.assign(new Error('EACCES: denied'), { code: 'EACCES', syscall: 'unlink' });
    jest.spyOn(engine, 'removeFile').mockImplementation(() => {
      throw denied;
    });
    const refusal = await refusalOf(() => bench().files.removeTree('tree'));
    expect(refusal).toMatchObject({ errorCode: 'storage_unavailable', cause: denied });
    expect(await listedPaths(bench().files)).toEqual([]);
  });

  it('gives what it cannot open its name back', async () => {
    await bench().plant({ tree: TREE });
    const { files } = bench();
    const open = engine.open.bind(engine);
    jest.spyOn(engine, 'open').mockImplementation((directory, path, flags) => {
      if (!path.startsWith('.keyfence-')) return open(directory, path, flags);
      throw Object.assign(new Error('EACCES: denied'), { code: 'EACCES', syscall: 'open' });
    });
    expect(await outcomeOf(() => files.removeTree('tree'))).toBe('storage_unavailable');
    expect(names()).toEqual(['tree']);
    expect(names('tree')).toEqual(['a.txt', 'b', 'g']);
  });

  it('does nothing at all where files are read-only', async () => {
    await bench().plant({ tree: TREE });
    const files = bench().open(bench().root, { readOnly: true });
    await expectRefused('storage_unavailable', () => files.removeTree('tree'));
    await expectRefused('path_escape', () => files.removeTree('../tree'));
  });

  it('with path grants removes what is granted as a whole, and looks at nothing else', async () => {
    await bench().plant({ tree: TREE, way: { to: TREE }, named: TREE });
    const grants = ['tree/**', 'way/to/**', 'named', 'named/a.txt'].map(grantOf);
    const files = bench().open(bench().root, { grants });
    const acquire = jest.spyOn(RootCache.prototype, 'acquire');
    for (const path of ['way', 'named', 'named/a.txt', 'named/b', 'missing', 'tree-2']) {
      await expectRefused('path_escape', () => files.removeTree(path));
      expect(await refusalOf(() => files.removeTree(path))).toMatchObject({ reason: 'outside_grant' });
    }
    expect(acquire).not.toHaveBeenCalled();
    for (const path of ['tree/b', 'tree', 'way/to']) await files.removeTree(path);
    expect(names()).toEqual(['named', 'way']);
    expect(names('way')).toEqual([]);
  });
});

describe.each(await enginesHere(['openat2', 'procfs']))('removeTree() and mounts on %s', (_name, engine) => {
  const bench = useWorkbench(engine);

  it.each(['', 'b/d/f/'])('stops at a mount in tree/%s, and touches nothing behind it', async (way) => {
    await bench().plant({ ...WITNESS, tree: { ...TREE, bind: {}, b: { d: { f: { bind: {} } } } } });
    const { base, root, files } = bench();
    const outside = join(base, 'outside');
    const target = join(root, 'tree', way, 'bind');
    try {
      execFileSync('mount', ['--bind', outside, target], { stdio: 'pipe' });
    } catch {
      notTestedHere('removeTree() and mounts', 'Run as root with CAP_SYS_ADMIN.');
      return;
    }
    const before = snapshot(outside);
    try {
      expect(await outcomeOf(() => files.removeTree(`tree/${way}bind`))).toBe('path_escape');
      expect(existsSync(join(target, 'secret.txt'))).toBe(true);
      expect(await outcomeOf(() => files.removeTree('tree'))).toBe('path_escape');
      expect(snapshot(outside)).toEqual(before);
    } finally {
      // It was moved along with what it lies in.
      const points = readFileSync('/proc/self/mountinfo', 'utf8').split('\n');
      for (const line of points) {
        const point = line.split(' ')[4];
        if (point?.startsWith(`${root}/`) === true) execFileSync('umount', ['-l', point]);
      }
    }
  });
});
