import { closeSync, constants, lstatSync, openSync, readFileSync, readlinkSync } from 'node:fs';
import { PathEscapeException } from '../errors/path.exceptions.js';
import { withoutStack } from '../errors/refusal.exception.js';
import { ROOT_PATH, type ConfinedPath } from './confined-path.js';
import type { DirectoryHandle } from './engine.js';
import { EntryOperations } from './entry-operations.js';
import { IDENTIFY_DIRECTORY_FLAGS, IDENTIFY_FLAGS } from './open-flags.js';
import { hasCode } from './system-error.js';

/** Up to this many components, walking costs no more than the constant price of the whole-path open. */
const WALK_DEPTH = 2;

/**
 * Race-proof opening in plain Node, on any Linux with /proc. `/proc/self/fd/N/name` resolves `name` in the directory
 * that is open as N, whatever has been renamed since: it is openat(2) for functions that take a path.
 *
 * A path is walked one component at a time; or, where that is dearer, opened as a whole and accepted only if the kernel
 * says that the object lay at exactly that path (`readlink` of its descriptor), then reopened through that descriptor.
 * The fast way decides successes only: whatever it does not accept is walked, and the walk decides, so that no error
 * tells what lies behind a planted link.
 */
export class ProcfsEngine extends EntryOperations {
  readonly name = 'procfs';
  readonly strictness = 'procfs';
  protected readonly identifyFlags = IDENTIFY_FLAGS;

  mountIdOf(fd: number): number | undefined {
    const id = /^mnt_id:\s*(\d+)$/m.exec(readFileSync(`/proc/self/fdinfo/${fd}`, 'utf8'));
    return id === null ? undefined : Number(id[1]);
  }

  open(directory: DirectoryHandle, path: ConfinedPath, flags: number): number {
    const fd = this.#openWhole(directory, path, flags) ?? this.#walk(directory, path, flags);
    try {
      // st_dev would be wrong both ways: overlayfs gives files another one, a bind mount of the same disk the same.
      const mountId = this.mountIdOf(fd);
      if (mountId === undefined || mountId !== directory.mountId) {
        throw withoutStack(() => new PathEscapeException('mount'));
      }
      return fd;
    } catch (error) {
      closeSync(fd);
      throw error;
    }
  }

  protected pathOf(directory: DirectoryHandle): string {
    return descriptorPath(directory.fd);
  }

  #openWhole(directory: DirectoryHandle, path: ConfinedPath, flags: number): number | undefined {
    if (depthOf(path) <= WALK_DEPTH) return undefined;
    const wanted = `${directory.realPath}/${path}`;
    let identified: number | undefined;
    try {
      identified = openSync(wanted, IDENTIFY_FLAGS);
      if (readlinkSync(descriptorPath(identified)) !== wanted) return undefined;
      // The descriptor's own entry in /proc is a link, so this one step has to follow.
      return openSync(descriptorPath(identified), flags & ~constants.O_NOFOLLOW);
    } catch {
      return undefined;
    } finally {
      if (identified !== undefined) closeSync(identified);
    }
  }

  #walk(directory: DirectoryHandle, path: ConfinedPath, flags: number): number {
    if (path === ROOT_PATH) return openSync(`${descriptorPath(directory.fd)}/.`, flags);
    const names = path.split('/');
    const last = names.length - 1;
    let current = directory.fd;
    try {
      for (const [index, name] of names.entries()) {
        const next = step(current, name, index === last ? flags : IDENTIFY_DIRECTORY_FLAGS);
        if (current !== directory.fd) closeSync(current);
        current = next;
      }
      return current;
    } catch (error) {
      if (current === directory.fd) throw error;
      // An error from behind a mount would tell what is there. Asking can fail too: for want of descriptors, say.
      try {
        const crossed = this.mountIdOf(current) !== directory.mountId;
        throw crossed ? withoutStack(() => new PathEscapeException('mount')) : error;
      } finally {
        closeSync(current);
      }
    }
  }
}

/** One component. A name without a slash and `O_NOFOLLOW` leave the kernel nothing to follow. */
function step(directory: number, name: string, flags: number): number {
  const entry = `${descriptorPath(directory)}/${name}`;
  try {
    return openSync(entry, flags);
  } catch (error) {
    if (hasCode(error, 'ELOOP') || (hasCode(error, 'ENOTDIR') && isSymbolicLink(entry))) {
      throw withoutStack(() => new PathEscapeException('symlink'));
    }
    throw error;
  }
}

function isSymbolicLink(entry: string): boolean {
  return lstatSync(entry, { throwIfNoEntry: false })?.isSymbolicLink() ?? false;
}

function descriptorPath(fd: number): string {
  return `/proc/self/fd/${fd}`;
}

function depthOf(path: ConfinedPath): number {
  let depth = 1;
  for (let slash = path.indexOf('/'); slash !== -1; slash = path.indexOf('/', slash + 1)) depth += 1;
  return depth;
}
