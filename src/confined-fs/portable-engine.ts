import { closeSync, fstatSync, lstatSync, openSync, realpathSync, statSync } from 'node:fs';
import { resolve } from 'node:path';
import { PathEscapeException } from '../errors/path.exceptions.js';
import { withoutStack } from '../errors/refusal.exception.js';
import { ROOT_PATH, type ConfinedPath } from './confined-path.js';
import type { DirectoryHandle } from './engine.js';
import { EntryOperations } from './entry-operations.js';
import { READ_FLAGS } from './open-flags.js';

/**
 * For systems where Node offers nothing to anchor a path to (macOS, Windows). It opens, then requires that the path
 * still resolves to itself and to the very object that was opened.
 *
 * **Limit**: this refuses planted links and whatever holds still. An attacker who swaps directories in the tenant's tree
 * while it is being read can win, and operations by name (write, remove, mkdir) act on the path. Mount crossings are
 * not seen. `strictness` says `best-effort`; require more with the option `files.requireStrictness`.
 */
export class PortableEngine extends EntryOperations {
  readonly name = 'portable';
  readonly strictness = 'best-effort';
  protected readonly identifyFlags = READ_FLAGS;

  mountIdOf(): undefined {
    return undefined;
  }

  open(directory: DirectoryHandle, path: ConfinedPath, flags: number): number {
    const wanted = path === ROOT_PATH ? directory.realPath : `${directory.realPath}/${path}`;
    const fd = openUnlessLinked(directory.realPath, path, wanted, flags);
    try {
      const opened = fstatSync(fd, { bigint: true });
      const named = statSync(wanted, { bigint: true });
      const same = opened.dev === named.dev && opened.ino === named.ino;
      if (!same || realpathSync.native(wanted) !== resolve(wanted)) {
        throw withoutStack(() => new PathEscapeException('symlink'));
      }
      return fd;
    } catch (error) {
      closeSync(fd);
      throw error;
    }
  }

  protected pathOf(directory: DirectoryHandle): string {
    return directory.realPath;
  }
}

/** An open that fails behind a planted link must not tell what is there: it is answered like one that succeeds. */
function openUnlessLinked(root: string, path: ConfinedPath, wanted: string, flags: number): number {
  try {
    return openSync(wanted, flags);
  } catch (error) {
    if (hasLink(root, path)) throw withoutStack(() => new PathEscapeException('symlink'));
    throw error;
  }
}

function hasLink(root: string, path: ConfinedPath): boolean {
  let current = root;
  return path.split('/').some((name) => {
    current = `${current}/${name}`;
    return lstatSync(current, { throwIfNoEntry: false })?.isSymbolicLink() ?? false;
  });
}
