import { readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import type { ConfinedDirectory } from '../../src/confined-fs/confined-directory.js';
import { enginesHere, openDirectory } from '../support/engines.js';
import { plantTree, symlink, temporaryDirectory, type Tree } from '../support/file-tree.js';
import { settledDescriptorsBelow } from './open-descriptors.js';
import { outcomeOf } from './refusal-of.js';

const OUTSIDE = 'outside: a secret';
const base = temporaryDirectory();
await plantTree(base, {
  a: OUTSIDE,
  b: { a: OUTSIDE, b: { a: OUTSIDE, c: OUTSIDE } },
  c: OUTSIDE,
  secret: { a: OUTSIDE },
});
afterAll(() => {
  rmSync(base, { recursive: true, force: true });
});

/** Few names, so that paths often meet what is planted. */
const NAMES = ['a', 'b', 'c'] as const;
const name = fc.constantFrom(...NAMES);
const linkTarget = fc.oneof(
  fc.array(fc.constantFrom('..', ...NAMES), { minLength: 1, maxLength: 4 }).map((parts) => parts.join('/')),
  fc.constantFrom('.', '/', '/etc', '/proc/self/cwd', join(base, 'a'), join(base, 'b'), join(base, 'secret')),
);
const { tree } = fc.letrec<{ tree: Tree; entry: Tree[string] }>((tie) => ({
  tree: fc.dictionary(name, tie('entry'), { maxKeys: 3, noNullPrototype: true }),
  entry: fc.oneof(
    { depthSize: 'medium', maxDepth: 5 },
    fc.string({ maxLength: 4 }).map((text) => `inside: ${text}`),
    linkTarget.map((target) => symlink(target)),
    { arbitrary: tie('tree'), weight: 3 },
  ),
}));
const path = fc.oneof(
  { arbitrary: fc.array(name, { minLength: 1, maxLength: 6 }).map((parts) => parts.join('/')), weight: 8 },
  fc.array(fc.constantFrom('..', '.', '', ...NAMES), { minLength: 1, maxLength: 5 }).map((parts) => parts.join('/')),
);
const request = fc.record({
  verb: fc.constantFrom('read', 'stat', 'list', 'write', 'exclusive', 'mkdir', 'remove'),
  path,
});
type Request = typeof request extends fc.Arbitrary<infer T> ? T : never;

async function answer(files: ConfinedDirectory, { verb, path }: Request): Promise<unknown> {
  let result: unknown;
  const outcome = await outcomeOf(async () => {
    result = await perform(files, verb, path);
  });
  return [verb, path, outcome, result];
}

async function perform(files: ConfinedDirectory, verb: Request['verb'], path: string): Promise<unknown> {
  switch (verb) {
    case 'read':
      return files.readFile(path, { encoding: 'utf8' });
    case 'stat': {
      const { kind, size } = await files.stat(path);
      return [kind, size];
    }
    case 'list': {
      const found: string[] = [];
      for await (const entry of files.list(path, { recursive: true })) found.push(`${entry.kind} ${entry.path}`);
      return found.sort();
    }
    case 'write':
    case 'exclusive': {
      const { size } = await files.writeFile(path, `written: ${path}`, { exclusive: verb === 'exclusive' });
      return size;
    }
    case 'mkdir':
      return files.mkdir(path);
    case 'remove':
      return files.remove(path);
  }
}

/** Everything below a directory, links and all. Not `readdir` with `recursive`, which follows links on some Nodes. */
function snapshot(directory: string): string[] {
  return readdirSync(directory, { withFileTypes: true })
    .flatMap((entry) => {
      const path = join(directory, entry.name);
      if (entry.isDirectory()) return [`${path}: directory`, ...snapshot(path)];
      return [`${path}: ${entry.isFile() ? readFileSync(path, 'utf8') : 'link'}`];
    })
    .sort();
}

describe('two engines', () => {
  it('answer alike, leave the same tree, give nothing from outside and change nothing there', async () => {
    const engines = await enginesHere();
    const outsideBefore = snapshot(base);
    let served = 0;
    let refused = 0;
    await fc.assert(
      fc.asyncProperty(tree, fc.array(request, { minLength: 1, maxLength: 12 }), async (planted, requests) => {
        const results: unknown[] = [];
        for (const [, engine] of engines) {
          const root = join(base, 'acme');
          await plantTree(root, planted);
          const { files, roots } = openDirectory(engine, root);
          const answers: unknown[] = [];
          for (const each of requests) answers.push(await answer(files, each));
          roots.close();
          results.push([answers, snapshot(root)]);
          served += answers.filter((each) => JSON.stringify(each).includes('"ok"')).length;
          refused += answers.filter((each) => JSON.stringify(each).includes('"path_escape"')).length;
          expect(JSON.stringify(answers)).not.toContain(OUTSIDE);
          rmSync(root, { recursive: true });
          expect(await settledDescriptorsBelow(root, 0)).toBe(0);
        }
        for (const result of results) expect(result).toEqual(results[0]);
        expect(snapshot(base)).toEqual(outsideBefore);
      }),
      { numRuns: 150 },
    );
    // A property that never met a file or a link would prove nothing.
    expect(served).toBeGreaterThan(100);
    expect(refused).toBeGreaterThan(50);
  }, 60_000);
});
