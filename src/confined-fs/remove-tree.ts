import { closeSync } from 'node:fs';
import { setImmediate } from 'node:timers/promises';
import { NotAFileException, QuotaExceededException } from '../errors/file.exceptions.js';
import { withoutStack } from '../errors/refusal.exception.js';
import { splitPath, type ConfinedPath } from './confined-path.js';
import type { DirectoryHandle, Engine } from './engine.js';
import { toFileStat } from './file-stat.js';
import { parseLimit } from './limit.js';
import { openDirectoryAt } from './open-directory.js';
import { hasCode } from './system-error.js';
import { reservedName } from './reserved-name.js';

/** After this many entries other work of the process gets its turn. */
const ENTRIES_IN_A_ROW = 128;

export interface RemoveTreeOptions {
  /**
   * Stop with `quota_exceeded` after as many entries. What is left by then cannot be reached any more: it stays on the disk under
   * a reserved name, which `list()` and `usage()` pass over, until a directory above it is removed. @default no limit
   */
  readonly maxEntries?: number;
}

interface Budget {
  left: number;
}

/**
 * Removes a directory and all that is in it.
 *
 * It first takes another name, one that nobody can ask for, so that it is gone at once and as a whole. Then every directory
 * below is moved up into it before it is emptied: nothing is deeper than two levels when it is opened, so that a tree of any
 * depth takes three handles, and no path is ever resolved. A link is removed and never followed; a mount stops it.
 */
export async function removeTreeAt(
  engine: Engine,
  root: DirectoryHandle,
  path: ConfinedPath,
  options: RemoveTreeOptions,
): Promise<void> {
  const maxEntries = parseLimit('removeTree({ maxEntries })', options.maxEntries);
  const { parent: parentPath, name } = splitPath(path);
  const parent = openDirectoryAt(engine, root, parentPath);
  try {
    const { kind } = toFileStat(path, engine.stat(parent, name as ConfinedPath));
    if (kind !== 'directory') throw withoutStack(() => new NotAFileException());
    const doomed = reservedName();
    engine.rename(parent, name, parent, doomed);
    const top = openDoomed(engine, parent, doomed, name);
    try {
      // Emptying one directory may move others up, so that the top is read until nothing is left in it.
      const budget = { left: maxEntries };
      for (let left = true; left;) left = await emptyOnce(engine, top, top, budget);
    } finally {
      closeSync(top.fd);
    }
    engine.removeDirectory(parent, doomed);
  } finally {
    closeSync(parent.fd);
  }
}

/** Somebody may have put something else in its place before it was renamed; that gets its name back and stays. */
function openDoomed(engine: Engine, parent: DirectoryHandle, doomed: string, name: string): DirectoryHandle {
  try {
    return openDirectoryAt(engine, parent, doomed as ConfinedPath);
  } catch (error) {
    engine.renameNew(parent, doomed, parent, name);
    throw error;
  }
}

/** @returns whether there was anything in the directory */
async function emptyOnce(
  engine: Engine,
  directory: DirectoryHandle,
  top: DirectoryHandle,
  budget: Budget,
): Promise<boolean> {
  let count = 0;
  for await (const { name } of engine.readDirectory(directory)) {
    count += 1;
    if (count % ENTRIES_IN_A_ROW === 0) await setImmediate();
    if (removeCounted(engine, directory, name, budget)) continue;
    if (directory === top) await emptyBelow(engine, top, name, budget);
    else engine.rename(directory, name, top, reservedName());
  }
  return count > 0;
}

async function emptyBelow(engine: Engine, top: DirectoryHandle, name: string, budget: Budget): Promise<void> {
  let directory;
  try {
    directory = openDirectoryAt(engine, top, name as ConfinedPath);
  } catch (error) {
    // Somebody removed or replaced it meanwhile; the next turn sees what is there now.
    if (hasCode(error, 'ENOENT') || hasCode(error, 'ENOTDIR')) return;
    throw error;
  }
  try {
    await emptyOnce(engine, directory, top, budget);
  } finally {
    closeSync(directory.fd);
  }
  removeCounted(engine, top, name, budget);
}

/** As {@link removeEntry}. A directory is met more than once before it is empty, and counts when it is removed. */
function removeCounted(engine: Engine, directory: DirectoryHandle, name: string, budget: Budget): boolean {
  if (budget.left === 0) throw withoutStack(() => new QuotaExceededException());
  const removed = removeEntry(engine, directory, name);
  if (removed) budget.left -= 1;
  return removed;
}

/** False for a directory with something in it. */
function removeEntry(engine: Engine, directory: DirectoryHandle, name: string): boolean {
  try {
    engine.removeFile(directory, name);
    return true;
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return true;
    // What unlink(2) says of a directory: EISDIR on Linux, EPERM by POSIX. EPERM may also be what it says of a file.
    const mayBeDirectory = hasCode(error, 'EISDIR') || hasCode(error, 'EPERM');
    if (!mayBeDirectory) throw error;
    return removeEmptyDirectory(engine, directory, name, error);
  }
}

function removeEmptyDirectory(engine: Engine, directory: DirectoryHandle, name: string, before: unknown): boolean {
  try {
    engine.removeDirectory(directory, name);
    return true;
  } catch (error) {
    if (hasCode(error, 'ENOTEMPTY') || hasCode(error, 'EEXIST')) return false;
    if (hasCode(error, 'ENOENT')) return true;
    throw hasCode(error, 'ENOTDIR') ? before : error;
  }
}
