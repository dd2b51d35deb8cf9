import { execFileSync } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeEach, expect } from '@jest/globals';
import type { ConfinedDirectory } from '../../src/confined-fs/confined-directory.js';
import type { Engine } from '../../src/confined-fs/engine.js';
import { openDirectory, type OpenDirectory, type OpenOptions } from '../support/engines.js';
import { plantTree, temporaryDirectory, type Tree } from '../support/file-tree.js';
import { settledDescriptorsBelow } from './open-descriptors.js';

/** A tenant's directory with a neighbour, made anew for each test; every test must leave no descriptor open. */
export interface Workbench {
  readonly files: ConfinedDirectory;
  readonly roots: OpenDirectory['roots'];
  /** Holds `acme` (the directory) and whatever a test puts beside it. */
  readonly base: string;
  /** The directory itself, for `node:fs`. */
  readonly root: string;
  readonly plant: (tree: Tree) => Promise<void>;
  /** Another directory, or the same one with another clock; closed after the test. */
  readonly open: (path: string, options?: OpenOptions) => ConfinedDirectory;
}

/** Sets up a {@link Workbench} for the tests of the surrounding `describe`. The answer is valid inside them. */
export function useWorkbench(engine: Engine): () => Workbench {
  const top = temporaryDirectory();
  let count = 0;
  let current: Workbench | undefined;
  let opened: OpenDirectory[] = [];
  const open = (path: string, options?: OpenOptions): OpenDirectory => {
    const directory = openDirectory(engine, path, options);
    opened.push(directory);
    return directory;
  };
  beforeEach(() => {
    const base = join(top, `${(count += 1)}`);
    const root = join(base, 'acme');
    mkdirSync(root, { recursive: true });
    current = {
      ...open(root),
      base,
      root,
      plant: (tree) => plantTree(root, tree),
      open: (path, options) => open(path, options).files,
    };
  });
  afterEach(async () => {
    for (const { roots } of opened) roots.close();
    opened = [];
    expect(await settledDescriptorsBelow(top, 0)).toBe(0);
  });
  afterAll(() => {
    // rm(1) removes trees that are deeper than PATH_MAX, which fs.rm() does not.
    execFileSync('rm', ['-rf', top]);
  });
  return () => {
    if (current === undefined) throw new Error('Only inside a test.');
    return current;
  };
}
