import {
  fstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import type { ConfinedDirectory } from '../../src/confined-fs/confined-directory.js';
import { enginesHere } from '../support/engines.js';
import { plantTree } from '../support/file-tree.js';
import { useWorkbench } from './every-engine.js';
import { settledDescriptorsBelow } from './open-descriptors.js';
import { outcomeOf } from './refusal-of.js';

const SECOND = 1_000;

/** A clock that stands still until it is told otherwise. */
function stoppedClock(): { now: () => number; advance: (ms: number) => void } {
  let time = 0;
  return {
    now: () => time,
    advance: (ms) => {
      time += ms;
    },
  };
}

describe.each(await enginesHere())('the roots of tenants on %s', (_name, engine) => {
  const bench = useWorkbench(engine);
  const read = (files: ConfinedDirectory): Promise<unknown> => outcomeOf(() => files.readFile('file'));

  it('opens a root once, and again only when its path names another directory', async () => {
    const clock = stoppedClock();
    const files = bench().open(bench().root, clock);
    await bench().plant({ file: 'first' });
    expect((await files.readFile('file')).toString()).toBe('first');
    renameSync(bench().root, join(bench().base, 'moved'));
    await plantTree(bench().root, { file: 'second' });
    clock.advance(SECOND);
    expect((await files.readFile('file')).toString()).toBe('second');
    expect(await settledDescriptorsBelow(bench().base, 1)).toBe(1);
  });

  it('refuses a root that is replaced by a symbolic link, from the next look on and every time', async () => {
    const clock = stoppedClock();
    const files = bench().open(bench().root, clock);
    await bench().plant({ file: 'mine' });
    expect(await read(files)).toBe('ok');
    await plantTree(join(bench().base, 'globex'), { file: 'not mine' });
    renameSync(bench().root, join(bench().base, 'moved'));
    symlinkSync('globex', bench().root);
    clock.advance(SECOND);
    expect([await read(files), await read(files), await read(files)]).toEqual(Array(3).fill('path_escape'));
    expect(await outcomeOf(() => files.writeFile('file', 'new'))).toBe('path_escape');
    expect(readFileSync(join(bench().base, 'globex/file'), 'utf8')).toBe('not mine');
    expect(readFileSync(join(bench().base, 'moved/file'), 'utf8')).toBe('mine');
    // Control: the link is a good one.
    expect(readFileSync(join(bench().root, 'file'), 'utf8')).toBe('not mine');
  });

  it('does not serve a root that was removed, from the next look on and every time', async () => {
    const clock = stoppedClock();
    const files = bench().open(bench().root, clock);
    await bench().plant({ file: 'old' });
    expect(await read(files)).toBe('ok');
    renameSync(bench().root, join(bench().base, 'trash'));
    clock.advance(SECOND);
    expect([await read(files), await read(files), await read(files)]).toEqual(Array(3).fill('file_not_found'));
  });

  it('refuses a root that is a symbolic link from the start, and one that is a file', async () => {
    await bench().plant({ '../globex': { file: 'not mine' } });
    symlinkSync('globex', join(bench().base, 'linked'));
    const linked = bench().open(join(bench().base, 'linked'));
    expect(await read(linked)).toBe('path_escape');
    expect(await outcomeOf(() => linked.writeFile('file', 'new'))).toBe('path_escape');
    expect(await outcomeOf(() => linked.list().next())).toBe('path_escape');
    writeFileSync(join(bench().base, 'plain'), '');
    const plain = bench().open(join(bench().base, 'plain'));
    expect(await read(plain)).toBe('file_not_found');
    expect(readFileSync(join(bench().base, 'globex/file'), 'utf8')).toBe('not mine');
  });

  it("follows symbolic links above the root: they are the operator's", async () => {
    await bench().plant({ file: 'mine' });
    symlinkSync(bench().base, join(bench().base, 'current'));
    const files = bench().open(join(bench().base, 'current/acme'));
    expect(await files.readFile('file', { encoding: 'utf8' })).toBe('mine');
  });

  it('makes a root that is missing when something is written, with mode 0750, and not before', async () => {
    const path = join(bench().base, 'new');
    const files = bench().open(path);
    for (const look of [
      () => files.readFile('file'),
      () => files.stat('file'),
      () => files.list('one').next(),
      () => files.remove('file'),
    ]) {
      expect(await outcomeOf(look)).toBe('file_not_found');
    }
    expect(await files.exists('file')).toBe(false);
    expect(statSync(path, { throwIfNoEntry: false })).toBeUndefined();
    const umask = process.umask(0);
    try {
      await files.writeFile('one/file', 'text');
    } finally {
      process.umask(umask);
    }
    expect(statSync(path).mode & 0o7777).toBe(0o750);
    expect(await files.readFile('one/file', { encoding: 'utf8' })).toBe('text');
  });

  it('does not make what is missing above a root', async () => {
    const files = bench().open(join(bench().base, 'missing/new'));
    expect(await outcomeOf(() => files.writeFile('file', 'text'))).toBe('file_not_found');
    expect(statSync(join(bench().base, 'missing'), { throwIfNoEntry: false })).toBeUndefined();
  });

  it('keeps at most 256 roots open', async () => {
    const { roots } = bench();
    for (let index = 0; index < 300; index += 1) {
      const path = join(bench().base, `tenant-${index}`);
      mkdirSync(path);
      roots.acquire(path, false).release();
    }
    expect(await settledDescriptorsBelow(bench().base, 256)).toBe(256);
    roots.close();
    expect(await settledDescriptorsBelow(bench().base, 0)).toBe(0);
  });

  it('never gives the number of a root in use to another directory', () => {
    const { roots, root } = bench();
    const held = roots.acquire(root, false);
    const { ino } = statSync(root);
    // The cache lets go of it; somebody still holds it.
    roots.close();
    for (let index = 0; index < 300; index += 1) {
      const path = join(bench().base, `tenant-${index}`);
      mkdirSync(path);
      const other = roots.acquire(path, false);
      expect(other.fd).not.toBe(held.fd);
      other.release();
    }
    expect(fstatSync(held.fd).ino).toBe(ino);
    held.release();
    // Control: released, the number is free for the next that opens something.
    expect(() => {
      if (fstatSync(held.fd).ino === ino) throw new Error('Still open.');
    }).not.toThrow('Still open.');
    roots.close();
  });

  it('writes to the end what was begun before its root was dropped', async () => {
    const { roots, files, root, base } = bench();
    const slow = async function* (): AsyncGenerator<string> {
      yield 'first, ';
      roots.close();
      for (let index = 0; index < 20; index += 1) {
        const path = join(base, `tenant-${index}`);
        mkdirSync(path);
        roots.acquire(path, false).release();
      }
      yield await Promise.resolve('last');
    };
    await files.writeFile('one/file', slow());
    expect(readFileSync(join(root, 'one/file'), 'utf8')).toBe('first, last');
    for (let index = 0; index < 20; index += 1) expect(readdirSync(join(base, `tenant-${index}`))).toEqual([]);
  });

  it('lists to the end what was begun before its root was dropped', async () => {
    await bench().plant({ one: { two: { three: { file: '' } } } });
    const found: string[] = [];
    for await (const { path } of bench().files.list('', { recursive: true })) {
      found.push(path);
      bench().roots.close();
    }
    expect(found).toEqual(['one', 'one/two', 'one/two/three', 'one/two/three/file']);
  });

  it('opens no more than one descriptor for a hundred requests at once', async () => {
    await bench().plant({ file: 'text' });
    await Promise.all(Array.from({ length: 100 }, () => bench().files.readFile('file')));
    expect(await settledDescriptorsBelow(bench().base, 1)).toBe(1);
  });

  it('a removed root is made anew by the next write', async () => {
    const clock = stoppedClock();
    const files = bench().open(bench().root, clock);
    await files.writeFile('file', 'old');
    rmSync(bench().root, { recursive: true });
    clock.advance(SECOND);
    await files.writeFile('file', 'new');
    expect(readFileSync(join(bench().root, 'file'), 'utf8')).toBe('new');
  });
});
