import { closeSync } from 'node:fs';
import { NotAFileException } from '../errors/file.exceptions.js';
import { withoutStack } from '../errors/refusal.exception.js';
import { ROOT_PATH, type ConfinedPath } from './confined-path.js';
import type { DirectoryHandle, Engine } from './engine.js';
import { DIRECTORY_FLAGS } from './open-flags.js';
import { hasCode } from './system-error.js';

const DIRECTORY_MODE = 0o750;

/** Opens a directory below another; the caller closes its `fd`. */
export function openDirectoryAt(engine: Engine, directory: DirectoryHandle, path: ConfinedPath): DirectoryHandle {
  const fd = engine.open(directory, path, DIRECTORY_FLAGS);
  const realPath = path === ROOT_PATH ? directory.realPath : `${directory.realPath}/${path}`;
  return { fd, realPath, mountId: directory.mountId };
}

/** Opens a directory below another and makes what is missing of it; the caller closes its `fd`. */
export function makeDirectoryAt(engine: Engine, directory: DirectoryHandle, path: ConfinedPath): DirectoryHandle {
  try {
    return openDirectoryAt(engine, directory, path);
  } catch (error) {
    if (!hasCode(error, 'ENOENT')) throw error;
  }
  let current = openDirectoryAt(engine, directory, ROOT_PATH);
  for (const name of path.split('/')) {
    const parent = current;
    try {
      current = enterDirectory(engine, parent, name as ConfinedPath);
    } finally {
      closeSync(parent.fd);
    }
  }
  return current;
}

/**
 * The same for a directory that something is to be put into; the caller closes its `fd`.
 * @throws NotAFileException where the path leads through a file
 */
export function makeParentAt(engine: Engine, directory: DirectoryHandle, path: ConfinedPath): DirectoryHandle {
  try {
    return makeDirectoryAt(engine, directory, path);
  } catch (error) {
    throw hasCode(error, 'ENOTDIR') ? withoutStack(() => new NotAFileException()) : error;
  }
}

function enterDirectory(engine: Engine, parent: DirectoryHandle, name: ConfinedPath): DirectoryHandle {
  try {
    return openDirectoryAt(engine, parent, name);
  } catch (error) {
    if (!hasCode(error, 'ENOENT')) throw error;
  }
  try {
    engine.makeDirectory(parent, name, DIRECTORY_MODE);
  } catch (error) {
    // Somebody else may have made it meanwhile; what it is, is decided by opening it.
    if (!hasCode(error, 'EEXIST')) throw error;
  }
  return openDirectoryAt(engine, parent, name);
}
