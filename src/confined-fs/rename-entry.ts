import { closeSync } from 'node:fs';
import { FileExistsException, NotAFileException } from '../errors/file.exceptions.js';
import { InvalidPathException, PathEscapeException } from '../errors/path.exceptions.js';
import { withoutStack } from '../errors/refusal.exception.js';
import { splitPath, type ConfinedPath } from './confined-path.js';
import type { DirectoryHandle, Engine } from './engine.js';
import { toFileStat, type FileStat } from './file-stat.js';
import { makeParentAt, openDirectoryAt } from './open-directory.js';
import { hasCode } from './system-error.js';

export interface RenameOptions {
  /** Whether a file, or an empty directory, that has the name gives way. @default true */
  readonly replace?: boolean;
}

/**
 * Gives a file or a directory another path, by its open parents, so that whatever happens to their paths it stays inside.
 * @param options.filesOnly a directory is not granted as a whole
 */
export function renameAt(
  engine: Engine,
  root: DirectoryHandle,
  from: ConfinedPath,
  to: ConfinedPath,
  options: { readonly replace: boolean; readonly filesOnly: boolean },
): void {
  const { replace } = options;
  if (to.startsWith(`${from}/`))
    throw withoutStack(() => new InvalidPathException('A directory cannot go into itself.'));
  const [source, target] = [splitPath(from), splitPath(to)];
  const parent = openDirectoryAt(engine, root, source.parent);
  try {
    const moved = toFileStat(from, engine.stat(parent, source.name as ConfinedPath));
    if (options.filesOnly && moved.kind === 'directory')
      throw withoutStack(() => new PathEscapeException('outside_grant'));
    const newParent = makeParentAt(engine, root, target.parent);
    try {
      checkTarget(moved, statOf(engine, newParent, to, target.name), replace);
      if (from === to) return;
      if (replace) engine.rename(parent, source.name, newParent, target.name);
      else engine.renameNew(parent, source.name, newParent, target.name);
    } finally {
      closeSync(newParent.fd);
    }
  } finally {
    closeSync(parent.fd);
  }
}

/** What has the name already; a link or a special file is refused, as it would be on reading. */
function statOf(engine: Engine, parent: DirectoryHandle, path: ConfinedPath, name: string): FileStat | undefined {
  try {
    return toFileStat(path, engine.stat(parent, name as ConfinedPath));
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return undefined;
    throw error;
  }
}

function checkTarget(moved: FileStat, target: FileStat | undefined, replace: boolean): void {
  if (target === undefined) return;
  if (!replace) throw withoutStack(() => new FileExistsException());
  if (moved.kind === target.kind) return;
  throw withoutStack(() => (target.kind === 'directory' ? new NotAFileException() : new FileExistsException()));
}
