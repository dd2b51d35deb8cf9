import type { ConfinedDirectory } from '../../src/confined-fs/confined-directory.js';
import type { ListOptions } from '../../src/confined-fs/list-entries.js';

/** The paths that a list gives, in order. */
export async function listedPaths(files: ConfinedDirectory, path?: string, options?: ListOptions): Promise<string[]> {
  const found: string[] = [];
  for await (const stat of files.list(path, options)) found.push(stat.path);
  return found.sort();
}
