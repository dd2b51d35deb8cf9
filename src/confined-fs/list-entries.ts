import { closeSync } from 'node:fs';
import { entryPath, type ConfinedPath } from './confined-path.js';
import type { DirectoryHandle, Engine } from './engine.js';
import { toFileStat, type FileStat } from './file-stat.js';
import { parseLimit } from './limit.js';
import { openDirectoryAt } from './open-directory.js';
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
 * mounts, temporary files and names outside the path grammar.
 */
export async function* listEntries(
  engine: Engine,
  root: DirectoryHandle,
  path: ConfinedPath,
  options: ListOptions,
): AsyncGenerator<FileStat, void, undefined> {
  const { recursive = false } = options;
  const limit = parseLimit('list({ limit })', options.limit);
  const pending = [path];
  let count = 0;
  for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
    const directory = openListed(engine, root, next, next === path);
    if (directory === undefined) continue;
    try {
      for await (const entry of engine.readDirectory(directory)) {
        const stat = statListed(engine, directory, next, entry.name);
        if (stat === undefined) continue;
        if (count >= limit) return;
        count += 1;
        yield stat;
        if (recursive && stat.kind === 'directory') pending.push(stat.path as ConfinedPath);
      }
    } finally {
      closeSync(directory.fd);
    }
  }
}

/** The directory asked for must be there; one found below it may be gone, replaced by a link or a mount meanwhile. */
function openListed(
  engine: Engine,
  root: DirectoryHandle,
  path: ConfinedPath,
  required: boolean,
): DirectoryHandle | undefined {
  try {
    return openDirectoryAt(engine, root, path);
  } catch (error) {
    if (!required && isGoneOrRefused(error)) return undefined;
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
  path: ConfinedPath,
  name: string,
): FileStat | undefined {
  const entry = entryPath(path, name);
  if (entry === undefined) return undefined;
  try {
    return toFileStat(entry, engine.stat(directory, name as ConfinedPath));
  } catch (error) {
    if (isGoneOrRefused(error)) return undefined;
    throw error;
  }
}
