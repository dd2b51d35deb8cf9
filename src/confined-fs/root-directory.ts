import { closeSync, fstatSync, lstatSync, mkdirSync, openSync, realpathSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { PathEscapeException } from '../errors/path.exceptions.js';
import { withoutStack } from '../errors/refusal.exception.js';
import type { DirectoryHandle, Engine } from './engine.js';
import { DIRECTORY_FLAGS } from './open-flags.js';
import { hasCode } from './system-error.js';

const DIRECTORY_MODE = 0o750;

/**
 * The open directory that confines one tenant. It stays the same directory whatever is renamed around it.
 *
 * Counted: an operation that awaits holds it with {@link acquire}, so that its descriptor is closed only when nobody
 * uses it. A number closed too early would be given to the next directory that is opened: another tenant's.
 */
export class RootDirectory implements DirectoryHandle {
  #users = 1;

  private constructor(
    readonly fd: number,
    readonly realPath: string,
    readonly mountId: number | undefined,
  ) {}

  /**
   * Opens a directory as a root. Symbolic links in its parents are the operator's and followed; the directory itself
   * must not be one.
   * @param create make the directory where it is missing (not its parents)
   */
  static open(engine: Engine, path: string, create: boolean): RootDirectory {
    const realPath = join(realpathSync.native(dirname(path)), basename(path));
    const fd = openDirectory(realPath, create);
    try {
      return new RootDirectory(fd, realPath, engine.mountIdOf(fd));
    } catch (error) {
      closeSync(fd);
      throw error;
    }
  }

  /** False once the directory was replaced, moved away or removed. */
  isCurrent(): boolean {
    const named = lstatSync(this.realPath, { throwIfNoEntry: false, bigint: true });
    const opened = fstatSync(this.fd, { bigint: true });
    return named?.ino === opened.ino && named.dev === opened.dev;
  }

  acquire(): this {
    this.#users += 1;
    return this;
  }

  release(): void {
    this.#users -= 1;
    if (this.#users === 0) closeSync(this.fd);
  }
}

function openDirectory(path: string, create: boolean): number {
  try {
    return openSync(path, DIRECTORY_FLAGS);
  } catch (error) {
    if (create && hasCode(error, 'ENOENT')) {
      makeDirectory(path);
      return openDirectory(path, false);
    }
    // O_DIRECTORY and O_NOFOLLOW together answer ENOTDIR or ELOOP for a symbolic link.
    const stats = lstatSync(path, { throwIfNoEntry: false });
    if (stats?.isSymbolicLink() === true) throw withoutStack(() => new PathEscapeException('symlink'));
    throw error;
  }
}

function makeDirectory(path: string): void {
  try {
    mkdirSync(path, { mode: DIRECTORY_MODE });
  } catch (error) {
    if (!hasCode(error, 'EEXIST')) throw error;
  }
}
