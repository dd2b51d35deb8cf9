import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { describe, expect, it } from '@jest/globals';
import type { ConfinedDirectory } from '../../src/confined-fs/confined-directory.js';
import { TenantDirectory } from '../../src/files/tenant-directory.js';
import type { TenantId } from '../../src/principal/tenant-id.js';
import { enginesHere } from '../support/engines.js';
import { symlink, type Tree } from '../support/file-tree.js';
import { useWorkbench } from './every-engine.js';
import { listedPaths } from './listed-paths.js';
import { grantOf } from './path-grants.js';
import { outcomeOf } from './refusal-of.js';
import { snapshot } from './snapshot.js';

const TREE: Tree = {
  'beside.txt': 'beside',
  base: { 'file.txt': 'text', one: { 'inner.txt': 'inner', two: { 'leaf.txt': 'leaf' } }, empty: {} },
  'base-2': { 'file.txt': 'beside' },
};

const VERBS: readonly (readonly [name: string, call: (files: ConfinedDirectory, path: string) => unknown])[] = [
  ['open', async (files, path) => (await files.open(path)).close()],
  ['readFile', (files, path) => files.readFile(path)],
  ['createReadStream', async (files, path) => (await files.createReadStream(path)).destroy()],
  ['writeFile', (files, path) => files.writeFile(path, 'overwritten')],
  ['copy from', (files, path) => files.copy(path, 'new')],
  ['copy to', (files, path) => files.copy('file.txt', path)],
  ['rename from', (files, path) => files.rename(path, 'new')],
  ['rename to', (files, path) => files.rename('file.txt', path)],
  ['stat', (files, path) => files.stat(path)],
  ['exists', (files, path) => files.exists(path)],
  ['list', (files, path) => files.list(path).next()],
  ['mkdir', (files, path) => files.mkdir(path)],
  ['remove', (files, path) => files.remove(path)],
  ['removeTree', (files, path) => files.removeTree(path)],
  ['subdirectory', (files, path) => files.subdirectory(path)],
];

describe.each(await enginesHere())('subdirectory() on %s', (_name, engine) => {
  const bench = useWorkbench(engine);
  const content = (path: string): string => readFileSync(join(bench().root, path), 'utf8');

  it('does everything relative to itself, and tells paths so', async () => {
    await bench().plant(TREE);
    const files = await bench().files.subdirectory('base');
    expect(await files.readFile('one/inner.txt', { encoding: 'utf8' })).toBe('inner');
    expect(await text(await files.createReadStream('file.txt', { start: 1 }))).toBe('ext');
    const file = await files.open('one/inner.txt');
    expect(file.path).toBe('one/inner.txt');
    await file.close();
    expect(await files.stat('one/two')).toMatchObject({ path: 'one/two', kind: 'directory' });
    expect(await files.exists('file.txt')).toBe(true);
    expect(await files.exists('base/file.txt')).toBe(false);
    expect(await files.writeFile('made/new.txt', 'new')).toMatchObject({ path: 'made/new.txt', size: 3 });
    expect(await files.copy('made/new.txt', 'made/copy.txt')).toMatchObject({ path: 'made/copy.txt', size: 3 });
    await files.rename('made/copy.txt', 'moved/copy.txt');
    expect(content('base/made/new.txt') + content('base/moved/copy.txt')).toBe('newnew');
    await files.mkdir('dir/below');
    await files.remove('dir/below');
    await files.removeTree('made');
    expect(readdirSync(join(bench().root, 'base')).sort()).toEqual(['dir', 'empty', 'file.txt', 'moved', 'one']);
    expect(readdirSync(bench().root).sort()).toEqual(['base', 'base-2', 'beside.txt']);
  });

  it('lists what lies in it, by paths from there', async () => {
    await bench().plant(TREE);
    const files = await bench().files.subdirectory('base');
    const below = ['one/inner.txt', 'one/two', 'one/two/leaf.txt'];
    expect(await listedPaths(files)).toEqual(['empty', 'file.txt', 'one']);
    expect(await listedPaths(files, 'one')).toEqual(['one/inner.txt', 'one/two']);
    expect(await listedPaths(files, '', { recursive: true })).toEqual(['empty', 'file.txt', 'one', ...below]);
    expect(await listedPaths(files, '', { recursive: true, limit: 2 })).toHaveLength(2);
  });

  it('goes down again from one', async () => {
    await bench().plant(TREE);
    const files = await (await bench().files.subdirectory('base')).subdirectory('one/two');
    expect(await files.stat('leaf.txt')).toMatchObject({ path: 'leaf.txt' });
    expect(await listedPaths(files, '', { recursive: true })).toEqual(['leaf.txt']);
    expect(await outcomeOf(() => files.readFile('../inner.txt'))).toBe('path_escape');
  });

  it.each(VERBS)('%s names nothing beside it', async (_verb, call) => {
    await bench().plant({ ...TREE, base: { 'file.txt': 'text', link: symlink('../base-2') } });
    const files = await bench().files.subdirectory('base');
    const before = snapshot(bench().base);
    for (const path of ['..', '../beside.txt', '../base/file.txt', '../base-2', 'one/../../beside.txt', '/base']) {
      expect([path, await outcomeOf(() => call(files, path))]).toEqual([path, 'path_escape']);
    }
    for (const path of ['.', './file.txt', '.keyfence-1.tmp', 'one/']) {
      expect([path, await outcomeOf(() => call(files, path))]).toEqual([path, 'invalid_path']);
    }
    expect(snapshot(bench().base)).toEqual(before);
  });

  it.each(VERBS.filter(([name]) => name !== 'list'))('%s refuses the empty path', async (_verb, call) => {
    await bench().plant(TREE);
    const before = snapshot(bench().base);
    const files = await bench().files.subdirectory('base');
    expect(await outcomeOf(() => call(files, ''))).toBe('invalid_path');
    expect(snapshot(bench().base)).toEqual(before);
  });

  it('that is missing is empty, and is made by what is written', async () => {
    const files = await bench().files.subdirectory('not/yet');
    expect(await listedPaths(files)).toEqual([]);
    expect(await files.usage()).toEqual({ bytes: 0, files: 0 });
    expect(await files.exists('file.txt')).toBe(false);
    expect(await outcomeOf(() => files.readFile('file.txt'))).toBe('file_not_found');
    expect(await outcomeOf(() => listedPaths(files, 'missing'))).toBe('file_not_found');
    expect(existsSync(join(bench().root, 'not'))).toBe(false);
    await files.writeFile('file.txt', 'text');
    expect(content('not/yet/file.txt')).toBe('text');
  });

  it('that is a link is refused by every verb', async () => {
    await bench().plant({ ...TREE, '../outside': { 'file.txt': 'outside' }, link: symlink('../outside') });
    const before = snapshot(bench().base);
    const files = await bench().files.subdirectory('link');
    for (const [name, call] of VERBS.filter(([verb]) => verb !== 'subdirectory')) {
      expect([name, await outcomeOf(() => call(files, 'file.txt'))]).toEqual([name, 'path_escape']);
    }
    for (const call of [() => listedPaths(files), () => files.usage()]) {
      expect(await outcomeOf(call)).toBe('path_escape');
    }
    expect(snapshot(bench().base)).toEqual(before);
  });

  it('counts its own path towards the limits of a path', async () => {
    const files = await bench().files.subdirectory(Array<string>(60).fill('d').join('/'));
    expect(await outcomeOf(() => files.writeFile('1/2/3/4', 'text'))).toBe('ok');
    expect(await outcomeOf(() => files.writeFile('1/2/3/5/5', 'text'))).toBe('invalid_path');
    expect(await outcomeOf(() => files.subdirectory('1/2/3/4/5'))).toBe('invalid_path');
  });

  it('stays read-only', async () => {
    await bench().plant(TREE);
    const files = await bench().open(bench().root, { readOnly: true }).subdirectory('base');
    const before = snapshot(bench().base);
    for (const call of [
      () => files.writeFile('file.txt', ''),
      () => files.copy('file.txt', 'new'),
      () => files.rename('file.txt', 'new'),
      () => files.removeTree('one'),
    ]) {
      expect(await outcomeOf(call)).toBe('storage_unavailable');
    }
    expect(snapshot(bench().base)).toEqual(before);
  });

  it('keeps to the grants', async () => {
    await bench().plant(TREE);
    const files = bench().open(bench().root, { grants: ['base/one/two/**', 'base/file.txt'].map(grantOf) });
    const before = snapshot(bench().base);
    for (const path of ['base-2', 'base/empty', 'base/missing', 'beside.txt']) {
      expect(await outcomeOf(() => files.subdirectory(path))).toBe('path_escape');
    }
    const base = await files.subdirectory('base');
    expect(await base.readFile('file.txt', { encoding: 'utf8' })).toBe('text');
    expect(await listedPaths(base, '', { recursive: true })).toEqual(['file.txt', 'one/two', 'one/two/leaf.txt']);
    expect(await base.usage()).toEqual({ bytes: 8, files: 2 });
    for (const call of [
      () => base.readFile('one/inner.txt'),
      () => base.writeFile('new.txt', ''),
      () => base.copy('file.txt', 'new.txt'),
      () => base.rename('file.txt', 'one/new.txt'),
      () => base.removeTree('one'),
      () => base.subdirectory('empty'),
    ]) {
      expect(await outcomeOf(call)).toBe('path_escape');
    }
    expect(snapshot(bench().base)).toEqual(before);
    const two = await (await base.subdirectory('one')).subdirectory('two');
    expect(await two.readFile('leaf.txt', { encoding: 'utf8' })).toBe('leaf');
  });

  it("of a tenant's directory is the tenant's", async () => {
    await bench().plant(TREE);
    const { roots, root } = bench();
    const grants = [grantOf('base/**')];
    const tenant = new TenantDirectory('acme' as TenantId, { roots, path: root, readOnly: false }, grants);
    const files = await (await tenant.subdirectory('base')).subdirectory('one');
    expect(files).toBeInstanceOf(TenantDirectory);
    expect(files.tenantId).toBe('acme');
    const file = await files.open('inner.txt');
    expect(file.path).toBe('inner.txt');
    await file.close();
    expect(await outcomeOf(() => tenant.subdirectory('base-2'))).toBe('path_escape');
  });
});
