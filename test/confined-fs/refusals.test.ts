import { rmSync } from 'node:fs';
import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import type { ConfinedDirectory } from '../../src/confined-fs/confined-directory.js';
import { enginesHere, notTestedHere, openDirectory, type OpenDirectory } from '../support/engines.js';
import {
  fifo,
  hardLink,
  nullDevice,
  plantTree,
  symlink,
  temporaryDirectory,
  unixSocket,
} from '../support/file-tree.js';
import { openDescriptorsBelow, settledDescriptorsBelow } from './open-descriptors.js';
import { outcomeOf } from './refusal-of.js';

const base = temporaryDirectory();
const root = join(base, 'tenants', 'acme');
const outside = join(base, 'outside');
const isRoot = process.getuid?.() === 0;

beforeAll(async () => {
  await plantTree(base, {
    outside: { 'secret.txt': 'outside', deep: { 'secret.txt': 'outside' } },
    tenants: {
      acme: {
        'file.txt': 'inside',
        directory: { 'file.txt': 'inside' },
        'link-out': symlink('../../outside/secret.txt'),
        'link-absolute': symlink(join(outside, 'secret.txt')),
        'link-inside': symlink('file.txt'),
        'link-self': symlink('link-self'),
        'link-nowhere': symlink('../../outside/missing.txt'),
        'dir-out': symlink('../../outside'),
        'dir-inside': symlink('directory'),
        'dir-nowhere': symlink('../../missing'),
        'dir-magic': symlink('/proc/self/root'),
        nested: { 'dir-out': symlink('../../../outside'), 'link-out': symlink('../../../outside/secret.txt') },
        'hard-link': hardLink('../../outside/secret.txt'),
        pipe: fifo(),
        socket: unixSocket(),
      },
    },
  });
  if (isRoot) await plantTree(root, { device: nullDevice() });
  else notTestedHere('a device in the directory', 'Run as root.');
});
afterAll(() => {
  rmSync(base, { recursive: true, force: true });
});

type Verb = readonly [name: string, call: (files: ConfinedDirectory, path: string) => unknown];

/** Verbs that act on what the path names. */
const ON_A_FILE: readonly Verb[] = [
  ['open', (files, path) => files.open(path)],
  ['readFile', (files, path) => files.readFile(path)],
  ['createReadStream', (files, path) => files.createReadStream(path)],
  ['stat', (files, path) => files.stat(path)],
  ['exists', (files, path) => files.exists(path)],
  ['writeFile', (files, path) => files.writeFile(path, 'overwritten')],
  ['writeFile exclusive', (files, path) => files.writeFile(path, 'overwritten', { exclusive: true })],
  ['remove', (files, path) => files.remove(path)],
];
const ON_A_DIRECTORY: readonly Verb[] = [
  ['list', (files, path) => files.list(path).next()],
  ['mkdir', (files, path) => files.mkdir(path)],
];
const EVERY_VERB = [...ON_A_FILE, ...ON_A_DIRECTORY];

const LINKS = ['link-out', 'link-absolute', 'link-inside', 'link-self', 'link-nowhere', 'dir-out', 'dir-inside'];
const LINKED_PARENTS = [
  'dir-out/secret.txt',
  'dir-out/missing.txt',
  'dir-out/deep/secret.txt',
  'dir-inside/file.txt',
  'dir-nowhere/file.txt',
  'dir-magic/etc/passwd',
  'nested/dir-out/secret.txt',
  'nested/dir-out/deep/secret.txt',
  'nested/dir-out/missing/way/down.txt',
  'link-inside/below',
  'link-self/below',
];
const SPECIAL = ['hard-link', 'pipe', 'socket', ...(isRoot ? ['device'] : [])];

describe.each(await enginesHere())('what is refused by %s', (_name, engine) => {
  let directory: OpenDirectory;
  let before: number;

  beforeEach(() => {
    before = openDescriptorsBelow(base);
    directory = openDirectory(engine, root);
  });
  afterEach(async () => {
    directory.roots.close();
    expect(await settledDescriptorsBelow(base, before)).toBe(before);
    // Whatever was tried, nothing outside has changed.
    expect(await readFile(join(outside, 'secret.txt'), 'utf8')).toBe('outside');
    expect(await readFile(join(root, 'file.txt'), 'utf8')).toBe('inside');
  });

  it.each(EVERY_VERB)('%s: a symbolic link in the place of the object', async (_verb, call) => {
    for (const path of [...LINKS, 'nested/link-out']) {
      expect([path, await outcomeOf(() => call(directory.files, path))]).toEqual([path, 'path_escape']);
    }
  });

  it.each(EVERY_VERB)('%s: a symbolic link on the way, wherever it leads', async (_verb, call) => {
    for (const path of LINKED_PARENTS) {
      expect([path, await outcomeOf(() => call(directory.files, path))]).toEqual([path, 'path_escape']);
    }
  });

  it.each(ON_A_FILE)('%s: a hard link, a FIFO, a socket, a device, without waiting for them', async (_verb, call) => {
    for (const path of SPECIAL) {
      expect([path, await outcomeOf(() => call(directory.files, path))]).toEqual([path, 'path_escape']);
    }
  });
});

describe('the same with plain node:fs (control)', () => {
  it.each(['link-out', 'link-absolute', 'dir-out/secret.txt', 'nested/dir-out/deep/secret.txt', 'hard-link'])(
    '%s gives what lies outside',
    async (path) => {
      expect(await readFile(join(root, path), 'utf8')).toBe('outside');
    },
  );

  it('dir-magic/etc/passwd gives the host', async () => {
    expect(await readFile(join(root, 'dir-magic/etc/passwd'), 'utf8')).toContain('root:');
  });

  it('pipe and socket are what they are said to be', async () => {
    expect((await stat(join(root, 'pipe'))).isFIFO()).toBe(true);
    expect((await stat(join(root, 'socket'))).isSocket()).toBe(true);
  });
});
