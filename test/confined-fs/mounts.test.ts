import { execFileSync } from 'node:child_process';
import { readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { ConfinedDirectory } from '../../src/confined-fs/confined-directory.js';
import { enginesHere, notTestedHere, openDirectory, type OpenDirectory } from '../support/engines.js';
import { plantTree, temporaryDirectory } from '../support/file-tree.js';
import { openDescriptorsBelow, settledDescriptorsBelow } from './open-descriptors.js';
import { outcomeOf } from './refusal-of.js';

const base = temporaryDirectory();
const root = join(base, 'acme');
const outside = join(base, 'outside');
const mounted: string[] = [];

function mount(target: string, ...options: readonly string[]): void {
  execFileSync('mount', [...options, target], { stdio: 'pipe' });
  mounted.push(target);
}

function unmountAll(): void {
  for (const target of mounted.splice(0).reverse()) execFileSync('umount', ['-l', target]);
}

/** Mounts what an operator or a container's runtime might; it takes CAP_SYS_ADMIN. */
function mountAll(): boolean {
  try {
    mount(join(root, 'bind'), '--bind', outside);
    mount(join(root, 'one/two/three/bind'), '--bind', outside);
    mount(join(root, 'bound-file'), '--bind', join(outside, 'secret.txt'));
    mount(join(root, 'one/two/three/bound-file'), '--bind', join(outside, 'secret.txt'));
    mount(join(root, 'device'), '--bind', '/dev/null');
    mount(join(root, 'tmpfs'), '-t', 'tmpfs', '-o', 'size=64k', 'none');
    writeFileSync(join(root, 'tmpfs/secret.txt'), 'outside');
    return true;
  } catch (error) {
    unmountAll();
    // Where every test is skipped, no hook runs.
    rmSync(base, { recursive: true, force: true });
    notTestedHere(
      'mounts in the directory',
      `Run as root with CAP_SYS_ADMIN (${String(error).split('\n', 1).join()}).`,
    );
    return false;
  }
}

await plantTree(base, {
  outside: { 'secret.txt': 'outside', deep: { 'secret.txt': 'outside' } },
  acme: {
    ...{ bind: {}, tmpfs: {}, 'bound-file': '', device: '', file: 'mine' },
    one: { two: { three: { bind: {}, 'bound-file': '', 'file.txt': 'mine' } } },
  },
});
const describeMounted = mountAll() ? describe : describe.skip;

afterAll(() => {
  unmountAll();
  rmSync(base, { recursive: true, force: true });
});

const VERBS: readonly (readonly [name: string, call: (files: ConfinedDirectory, path: string) => unknown])[] = [
  ['open', (files, path) => files.open(path)],
  ['readFile', (files, path) => files.readFile(path)],
  ['stat', (files, path) => files.stat(path)],
  ['exists', (files, path) => files.exists(path)],
  ['list', (files, path) => files.list(path).next()],
  ['writeFile', (files, path) => files.writeFile(path, 'overwritten')],
  ['mkdir', (files, path) => files.mkdir(path)],
  ['remove', (files, path) => files.remove(path)],
];
const MOUNT_POINTS = ['bind', 'tmpfs', 'one/two/three/bind'];
const MOUNTED_FILES = ['bound-file', 'one/two/three/bound-file', 'device'];
const BELOW_A_MOUNT = [
  ...['bind/secret.txt', 'bind/deep/secret.txt', 'bind/missing.txt', 'tmpfs/secret.txt', 'tmpfs/missing.txt'],
  ...['one/two/three/bind/secret.txt', 'one/two/three/bind/deep/secret.txt'],
];

describeMounted.each(await enginesHere(['openat2', 'procfs']))('mounts in the directory, on %s', (_name, engine) => {
  let directory: OpenDirectory;
  let before: number;
  beforeEach(() => {
    before = openDescriptorsBelow(base);
    directory = openDirectory(engine, root);
  });
  afterEach(async () => {
    directory.roots.close();
    expect(await settledDescriptorsBelow(base, before)).toBe(before);
    expect(readFileSync(join(outside, 'secret.txt'), 'utf8')).toBe('outside');
  });

  it.each(VERBS)('%s: a mount point', async (_verb, call) => {
    for (const path of MOUNT_POINTS) {
      expect([path, await outcomeOf(() => call(directory.files, path))]).toEqual([path, 'path_escape']);
    }
  });

  it.each(VERBS)('%s: what lies below a mount', async (_verb, call) => {
    for (const path of BELOW_A_MOUNT) {
      expect([path, await outcomeOf(() => call(directory.files, path))]).toEqual([path, 'path_escape']);
    }
  });

  it.each(VERBS.filter(([name]) => name !== 'list' && name !== 'mkdir'))('%s: a mounted file', async (_verb, call) => {
    for (const path of MOUNTED_FILES) {
      expect([path, await outcomeOf(() => call(directory.files, path))]).toEqual([path, 'path_escape']);
    }
  });

  it('list leaves them out', async () => {
    const found: string[] = [];
    for await (const { path } of directory.files.list('', { recursive: true })) found.push(path);
    expect(found.sort()).toEqual(['file', 'one', 'one/two', 'one/two/three', 'one/two/three/file.txt']);
  });

  it('serves a directory that is a mount itself: that is where the operator put it', async () => {
    const bound = openDirectory(engine, join(root, 'bind'));
    expect(await bound.files.readFile('secret.txt', { encoding: 'utf8' })).toBe('outside');
    expect(await bound.files.readFile('deep/secret.txt', { encoding: 'utf8' })).toBe('outside');
    bound.roots.close();
  });
});

describeMounted('the same with plain node:fs (control)', () => {
  it.each(['bind/secret.txt', 'tmpfs/secret.txt', 'bound-file', 'one/two/three/bind/deep/secret.txt'])(
    '%s gives what is mounted',
    (path) => {
      expect(readFileSync(join(root, path), 'utf8')).toBe('outside');
    },
  );

  it('a bind mount cannot be told by its device number', () => {
    expect(statSync(join(root, 'bind')).dev).toBe(statSync(root).dev);
  });
});
