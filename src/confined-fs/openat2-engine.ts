import { constants } from 'node:fs';
import { getSystemErrorName } from 'node:util';
import { PathEscapeException } from '../errors/path.exceptions.js';
import { withoutStack } from '../errors/refusal.exception.js';
import { ROOT_PATH, type ConfinedPath } from './confined-path.js';
import type { DirectoryHandle } from './engine.js';
import { EntryOperations } from './entry-operations.js';
import { IDENTIFY_FLAGS } from './open-flags.js';
import { O_CLOEXEC, RESOLVE_CONFINED, type Openat2 } from './openat2.js';

/**
 * Race-proof opening by one system call: the kernel resolves the whole path below the directory and refuses symbolic
 * links, magic links and mounts on the way (openat2(2), Linux 5.6). Costs what a plain open costs.
 */
export class Openat2Engine extends EntryOperations {
  readonly name = 'openat2';
  readonly strictness = 'kernel';
  protected readonly identifyFlags = IDENTIFY_FLAGS;

  constructor(private readonly openat2: Openat2) {
    super();
  }

  mountIdOf(): undefined {
    return undefined;
  }

  open(directory: DirectoryHandle, path: ConfinedPath, flags: number): number {
    // RESOLVE_NO_SYMLINKS says ELOOP for every link; O_NOFOLLOW would let some pass for something else (ENOTDIR).
    const openFlags = (flags & ~constants.O_NOFOLLOW) | O_CLOEXEC;
    const result = this.openat2(directory.fd, path === ROOT_PATH ? '.' : path, openFlags, RESOLVE_CONFINED);
    if (result < 0) throw openError(result);
    return result;
  }

  protected pathOf(directory: DirectoryHandle): string {
    return `/proc/self/fd/${directory.fd}`;
  }
}

function openError(result: number): Error {
  const code = getSystemErrorName(result);
  if (code === 'ELOOP') return withoutStack(() => new PathEscapeException('symlink'));
  if (code === 'EXDEV') return withoutStack(() => new PathEscapeException('mount'));
  return Object.assign(
    withoutStack(() => new Error(`${code}: openat2`)),
    { code, errno: result, syscall: 'openat2' },
  );
}
