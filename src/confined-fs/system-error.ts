import { types } from 'node:util';
import {
  DirectoryNotEmptyException,
  FileExistsException,
  FileNotFoundException,
  FileTooLargeException,
  NotAFileException,
  StorageUnavailableException,
} from '../errors/file.exceptions.js';
import { InvalidPathException, PathEscapeException } from '../errors/path.exceptions.js';
import { withoutStack } from '../errors/refusal.exception.js';

/** An error of the operating system, as Node throws it. */
interface SystemError extends Error {
  readonly code: string;
  readonly syscall: string;
}

function isSystemError(error: unknown): error is SystemError {
  // Not instanceof: a test runner gives each suite an Error of its own, and node:fs throws the process's.
  return types.isNativeError(error) && 'code' in error && 'syscall' in error;
}

export function hasCode(error: unknown, code: string): boolean {
  return isSystemError(error) && error.code === code;
}

/**
 * What a caller is told of an operating system's error. Its text holds an absolute path, so it is never passed on; the
 * error itself is kept as `cause` where an operator needs it. Anything else is returned as it is.
 */
export function toRefusal(error: unknown): unknown {
  return isSystemError(error) ? withoutStack(() => refusalFor(error)) : error;
}

function refusalFor(error: SystemError): Error {
  switch (error.code) {
    case 'ENOENT':
    case 'ENOTDIR':
      return new FileNotFoundException();
    case 'EEXIST':
      return new FileExistsException();
    case 'EISDIR':
      return new NotAFileException();
    case 'ENOTEMPTY':
      return new DirectoryNotEmptyException();
    case 'EFBIG':
      return new FileTooLargeException();
    case 'ENAMETOOLONG':
      return new InvalidPathException('The path is too long.');
    case 'ELOOP':
      return new PathEscapeException('symlink');
    case 'ENXIO': // a socket, or a FIFO that nobody reads
    case 'ENODEV':
      return new PathEscapeException('special_file');
    case 'EXDEV':
    case 'EBUSY': // a mount point cannot be removed or replaced
      return new PathEscapeException('mount');
    default: // EIO, EMFILE, ENOSPC, EACCES, EROFS, ESTALE, ...
      return new StorageUnavailableException(error);
  }
}
