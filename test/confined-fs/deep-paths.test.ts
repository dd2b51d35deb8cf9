import { mkdirSync, symlinkSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import { enginesHere } from '../support/engines.js';
import { useWorkbench } from './every-engine.js';
import { outcomeOf } from './refusal-of.js';

/** 1 and 2 are walked by the procfs engine, 3 and more opened as a whole, 65 is one more than the grammar allows. */
const DEPTHS = [1, 2, 3, 4, 8, 16, 33, 63, 64];

function pathOf(depth: number, name = 'd'): string {
  return [...Array<string>(depth - 1).fill(name), 'leaf'].join('/');
}

describe.each(await enginesHere())('paths of any depth on %s', (_name, engine) => {
  const bench = useWorkbench(engine);

  it.each(DEPTHS)('%d: every verb does its work', async (depth) => {
    const { files } = bench();
    const file = pathOf(depth);
    await files.writeFile(file, `text at ${depth}`);
    expect(await files.readFile(file, { encoding: 'utf8' })).toBe(`text at ${depth}`);
    expect(await files.stat(file)).toMatchObject({ path: file, kind: 'file' });
    expect(await outcomeOf(() => files.readFile(`${file.slice(0, -4)}none`))).toBe('file_not_found');
    const found: string[] = [];
    for await (const { path } of files.list('', { recursive: true })) found.push(path);
    expect(found).toHaveLength(depth);
    expect(found).toContain(file);
    await files.remove(file);
    await files.mkdir(file);
    expect(await files.stat(file)).toMatchObject({ path: file, kind: 'directory' });
    expect(await outcomeOf(() => files.readFile(file))).toBe('not_a_file');
    await files.remove(file);
    expect(await files.exists(file)).toBe(false);
  });

  it.each(DEPTHS)('%d: a link at any place of the way is refused', async (depth) => {
    const { root, files, plant } = bench();
    await plant({ '../outside': { leaf: 'outside' } });
    const names = pathOf(depth).split('/');
    for (const [index, name] of names.entries()) {
      const way = names.slice(0, index).map((each) => `real-${each}`);
      mkdirSync(join(root, ...way), { recursive: true });
      const link = [...way, name];
      const target = index === names.length - 1 ? 'outside/leaf' : 'outside';
      symlinkSync(join(dirname(root), target), join(root, ...link));
      const path = [...link, ...names.slice(index + 1)].join('/');
      expect([index, await outcomeOf(() => files.readFile(path))]).toEqual([index, 'path_escape']);
      expect([index, await outcomeOf(() => files.writeFile(path, ''))]).toEqual([index, 'path_escape']);
    }
  });

  it('65 is refused', async () => {
    expect(await outcomeOf(() => bench().files.writeFile(pathOf(65), 'text'))).toBe('invalid_path');
  });

  it('takes the longest path of the grammar, though with the root it is longer than PATH_MAX', async () => {
    const path = Array<string>(16).fill('d'.repeat(255)).join('/');
    expect(path).toHaveLength(4095);
    // The portable engine has only absolute paths.
    const expected = engine.name === 'portable' ? 'invalid_path' : 'ok';
    expect(await outcomeOf(() => bench().files.writeFile(path, 'text'))).toBe(expected);
    expect(await outcomeOf(() => bench().files.readFile(path))).toBe(expected);
  });
});
