import { closeSync } from 'node:fs';
import { entryPath, type ConfinedPath } from './confined-path.js';
import type { DirectoryHandle, Engine } from './engine.js';
import { toFileStat, type FileStat } from './file-stat.js';
import { parseLimit } from './limit.js';
import { openDirectoryAt } from './open-directory.js';
import { isGranted, isTreeGranted, namesTowards, type PathGrants } from './path-grant.js';
import { hasCode } from './system-error.js';
import { isKeyfenceException } from '../errors/refusal.exception.js';

export interface ListOptions {
  /** Also what lies in directories below. @default false */
  readonly recursive?: boolean;
  /** Stop after this many entries. @default no limit */
  readonly limit?: number;
}

/**
 * The entries of a directory that this library would open, in no particular order. Left out: links, special files,
 * mounts, temporary files, names outside the path grammar and what is not granted.
 *
 * It holds two handles for each level that it is in, and in memory nothing but those.
 */
export async function* listEntries(
  engine: Engine,
  root: DirectoryHandle,
  path: ConfinedPath,
  grants: PathGrants,
  options: ListOptions,
): AsyncGenerator<FileStat, void, undefined> {
  const { recursive = false } = options;
  const limit = parseLimit('list({ limit })', options.limit);
  let count = 0;
  for await (const stat of walk(engine, openDirectoryAt(engine, root, path), path, grants, recursive)) {
    if (count >= limit) return;
    count += 1;
    yield stat;
  }
}

/** Closes the directory that it is given. */
async function* walk(
  engine: Engine,
  directory: DirectoryHandle,
  path: ConfinedPath,
  grants: PathGrants,
  recursive: boolean,
): AsyncGenerator<FileStat, void, undefined> {
  try {
    for await (const { name } of namesIn(engine, directory, path, grants)) {
      const entry = entryPath(path, name);
      const stat = entry && statListed(engine, directory, entry, name);
      if (entry === undefined || stat === undefined) continue;
      // What only leads to a grant is passed through and not given.
      if (isGranted(grants, entry)) yield stat;
      const below = recursive && stat.kind === 'directory' ? openListed(engine, directory, name) : undefined;
      if (below !== undefined) yield* walk(engine, below, entry, grants, recursive);
    }
  } finally {
    closeSync(directory.fd);
  }
}

/**
 * What is looked at in a directory: all of it, or the names that a grant gives. A directory that only leads to a grant is
 * not read, so that neither an answer nor the time it takes tells what else is in it.
 */
function namesIn(
  engine: Engine,
  directory: DirectoryHandle,
  path: ConfinedPath,
  grants: PathGrants,
): AsyncIterable<{ readonly name: string }> | readonly { readonly name: string }[] {
  if (grants === undefined || isTreeGranted(grants, path)) return engine.readDirectory(directory);
  return namesTowards(grants, path).map((name) => ({ name }));
}

/** `undefined` for one that is gone, or was replaced by a link or a mount meanwhile. */
function openListed(engine: Engine, directory: DirectoryHandle, name: string): DirectoryHandle | undefined {
  try {
    return openDirectoryAt(engine, directory, name as ConfinedPath);
  } catch (error) {
    if (isGoneOrRefused(error)) return undefined;
    throw error;
  }
}

/** Gone meanwhile, refused (a socket by ENXIO), or closed to the server by its mode: none of it fails the whole list. */
function isGoneOrRefused(error: unknown): boolean {
  return isKeyfenceException(error) || ['ENOENT', 'ENOTDIR', 'ENXIO', 'EACCES'].some((code) => hasCode(error, code));
}

function statListed(
  engine: Engine,
  directory: DirectoryHandle,
  entry: ConfinedPath,
  name: string,
): FileStat | undefined {
  try {
    return toFileStat(entry, engine.stat(directory, name as ConfinedPath));
  } catch (error) {
    if (isGoneOrRefused(error)) return undefined;
    throw error;
  }
}
