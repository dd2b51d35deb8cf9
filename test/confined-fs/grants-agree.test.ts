import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import type { ConfinedDirectory } from '../../src/confined-fs/confined-directory.js';
import type { PathGrant } from '../../src/confined-fs/path-grant.js';
import { enginesHere, openDirectory } from '../support/engines.js';
import { plantTree, symlink, temporaryDirectory, type Tree } from '../support/file-tree.js';
import { listedPaths } from './listed-paths.js';
import { grantOf } from './path-grants.js';
import { outcomeOf } from './refusal-of.js';
import { snapshot } from './snapshot.js';

const engines = await enginesHere();
const base = temporaryDirectory();
afterAll(() => {
  rmSync(base, { recursive: true, force: true });
});

describe('a directory with path grants, compared with one without', () => {
  // Two names, one the beginning of the other, so that requests, grants and what is planted often meet.
  const name = fc.constantFrom('a', 'aa');
  const path = fc.array(name, { minLength: 1, maxLength: 3 }).map((names) => names.join('/'));
  const grants = fc.array(
    fc.tuple(path, fc.boolean()).map(([base, tree]) => grantOf(tree ? `${base}/**` : base)),
    { maxLength: 3 },
  );
  const { tree } = fc.letrec<{ tree: Tree; entry: Tree[string] }>((tie) => ({
    tree: fc.dictionary(name, tie('entry'), { minKeys: 1, maxKeys: 2, noNullPrototype: true }),
    entry: fc.oneof(
      { depthSize: 'medium', maxDepth: 4 },
      fc.string({ maxLength: 4 }),
      path.map((target) => symlink(target)),
      { arbitrary: tie('tree'), weight: 4 },
    ),
  }));
  const verb = fc.constantFrom('read', 'stat', 'list', 'tree', 'write', 'mkdir', 'remove');
  const request = fc.record({ verb, path: fc.oneof({ arbitrary: path, weight: 4 }, fc.constant('')) });

  type Request = typeof request extends fc.Arbitrary<infer T> ? T : never;

  /** Written apart from the code under test. */
  function isCovered(granted: readonly PathGrant[], asked: string): boolean {
    return granted.some((grant) => new RegExp(`^${grant.replace(/\/\*\*$/, '(/.*)?')}$`).test(asked));
  }

  function leads(granted: readonly PathGrant[], asked: string): boolean {
    return asked === '' || granted.some((grant) => grant.startsWith(`${asked}/`));
  }

  async function perform(
    files: ConfinedDirectory,
    { verb, path }: Request,
  ): Promise<readonly [outcome: unknown, result: unknown]> {
    let result: unknown;
    const outcome = await outcomeOf(async () => {
      if (verb === 'read') result = await files.readFile(path, { encoding: 'utf8' });
      else if (verb === 'stat') result = (await files.stat(path)).kind;
      else if (verb === 'list' || verb === 'tree')
        result = await listedPaths(files, path, { recursive: verb === 'tree' });
      else if (verb === 'write') result = (await files.writeFile(path, 'written')).size;
      else if (verb === 'mkdir') await files.mkdir(path);
      else await files.remove(path);
    });
    return [outcome, result];
  }

  it.each(engines)(
    'does the same where it is granted, and nothing elsewhere, on %s',
    async (engineName, engine) => {
      let [count, refused, served, listed] = [0, 0, 0, 0];

      async function compare(
        planted: Tree,
        granted: readonly PathGrant[],
        requests: readonly Request[],
      ): Promise<void> {
        const root = join(base, engineName, `${(count += 1)}`);
        await plantTree(join(root, 'granted'), planted);
        await plantTree(join(root, 'whole'), planted);
        const narrow = openDirectory(engine, join(root, 'granted'), { grants: granted });
        const whole = openDirectory(engine, join(root, 'whole'));
        for (const each of requests) {
          const covered = isCovered(granted, each.path);
          const lists = each.verb === 'list' || each.verb === 'tree';
          const before = snapshot(root);
          const [outcome, result] = await perform(narrow.files, each);
          if (each.path !== '' && !covered && !(lists && leads(granted, each.path))) {
            expect(outcome).toBe('path_escape');
            expect(snapshot(root)).toEqual(before);
            refused += 1;
            continue;
          }
          const [expected, found] = await perform(whole.files, each);
          if (lists && !covered && expected === 'file_not_found') {
            expect([outcome, result]).toEqual(['ok', []]);
          } else if (Array.isArray(found)) {
            expect([outcome, result]).toEqual(['ok', found.filter((path: string) => isCovered(granted, path))]);
            listed += (result as string[]).length;
          } else {
            expect([outcome, result]).toEqual([expected, found]);
          }
          if (outcome === 'ok') served += 1;
        }
        narrow.roots.close();
        whole.roots.close();
      }

      await fc.assert(fc.asyncProperty(tree, grants, fc.array(request, { minLength: 1, maxLength: 8 }), compare), {
        numRuns: 200,
      });
      // A property that was never refused or never served would prove nothing.
      expect(refused).toBeGreaterThan(100);
      expect(served).toBeGreaterThan(50);
      expect(listed).toBeGreaterThan(10);
    },
    60_000,
  );
});
