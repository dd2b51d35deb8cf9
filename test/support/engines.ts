import { ConfinedDirectory } from '../../src/confined-fs/confined-directory.js';
import type { Engine, EngineName } from '../../src/confined-fs/engine.js';
import type { PathGrants } from '../../src/confined-fs/path-grant.js';
import { RootCache } from '../../src/confined-fs/root-cache.js';
import { selectEngine } from '../../src/confined-fs/select-engine.js';

const NAMES: readonly EngineName[] = ['openat2', 'procfs', 'portable'];

/**
 * Every engine that works here, for `describe.each`. One that does not is named loudly, and fails under
 * `KEYFENCE_REQUIRE_ALL=1`.
 */
export async function enginesHere(
  names: readonly EngineName[] = NAMES,
): Promise<(readonly [name: EngineName, engine: Engine])[]> {
  const engines: (readonly [EngineName, Engine])[] = [];
  for (const name of names) {
    try {
      engines.push([name, (await selectEngine(name)).engine]);
    } catch (error) {
      notTestedHere(`the engine ${name}`, error instanceof Error ? error.message : String(error));
    }
  }
  return engines;
}

/** Says that something cannot be tested on this machine; under `KEYFENCE_REQUIRE_ALL=1` that is a failure. */
export function notTestedHere(what: string, cure: string): void {
  if (process.env.KEYFENCE_REQUIRE_ALL === '1') throw new Error(`Not tested: ${what}. ${cure}`);
  process.stderr.write(`NOT TESTED HERE: ${what}. ${cure}\n`);
}

/** A directory held by an engine, and the way to close what it keeps open. */
export interface OpenDirectory {
  readonly files: ConfinedDirectory;
  readonly roots: RootCache;
}

export interface OpenOptions {
  readonly readOnly?: boolean;
  readonly grants?: PathGrants;
  readonly now?: () => number;
}

export function openDirectory(engine: Engine, path: string, options: OpenOptions = {}): OpenDirectory {
  const roots = new RootCache(engine, options.now ?? (() => 0));
  return { files: new ConfinedDirectory(roots, path, options.readOnly ?? false, options.grants), roots };
}
