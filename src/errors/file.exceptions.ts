import {
  ConflictException,
  HttpException,
  HttpStatus,
  NotFoundException,
  PayloadTooLargeException,
  ServiceUnavailableException,
} from '@nestjs/common';
import { refusalBody } from './refusal.exception.js';

/** RFC 4918, section 11.5; not in Nest's list before version 11. */
const INSUFFICIENT_STORAGE = 507;

/** 404: no such file or directory in the tenant's directory. */
export class FileNotFoundException extends NotFoundException {
  override readonly errorCode = 'file_not_found';

  constructor() {
    super(refusalBody(HttpStatus.NOT_FOUND, 'file_not_found', 'There is no such file.'));
  }
}

/** 409: an exclusive write found the name taken, or a directory was to be made where a file is. */
export class FileExistsException extends ConflictException {
  override readonly errorCode = 'file_exists';

  constructor() {
    super(refusalBody(HttpStatus.CONFLICT, 'file_exists', 'The name is taken.'));
  }
}

/** 409: a file was expected and the path names a directory, or leads through a file as if it were one. */
export class NotAFileException extends ConflictException {
  override readonly errorCode = 'not_a_file';

  constructor() {
    super(refusalBody(HttpStatus.CONFLICT, 'not_a_file', 'The path does not name a file.'));
  }
}

/** 409: only an empty directory can be removed. */
export class DirectoryNotEmptyException extends ConflictException {
  override readonly errorCode = 'directory_not_empty';

  constructor() {
    super(refusalBody(HttpStatus.CONFLICT, 'directory_not_empty', 'The directory is not empty.'));
  }
}

/** 413: more bytes than allowed. */
export class FileTooLargeException extends PayloadTooLargeException {
  override readonly errorCode = 'file_too_large';

  constructor() {
    super(refusalBody(HttpStatus.PAYLOAD_TOO_LARGE, 'file_too_large', 'The file is too large.'));
  }
}

/** 416: the range lies outside the file. */
export class RangeNotSatisfiableException extends HttpException {
  override readonly errorCode = 'range_not_satisfiable';

  constructor() {
    super(
      refusalBody(
        HttpStatus.REQUESTED_RANGE_NOT_SATISFIABLE,
        'range_not_satisfiable',
        'The range lies outside the file.',
      ),
      HttpStatus.REQUESTED_RANGE_NOT_SATISFIABLE,
    );
  }
}

/** 503: the storage did not do what it should (EIO, EMFILE, ENOSPC, EACCES, ...); `cause` holds the system error. */
export class StorageUnavailableException extends ServiceUnavailableException {
  override readonly errorCode = 'storage_unavailable';

  constructor(cause?: unknown) {
    super(refusalBody(HttpStatus.SERVICE_UNAVAILABLE, 'storage_unavailable', 'The storage is not available.'), {
      cause,
    });
  }
}

/** 507: more work, or more room, than was allowed for. */
export class QuotaExceededException extends HttpException {
  override readonly errorCode = 'quota_exceeded';

  constructor() {
    super(
      refusalBody(INSUFFICIENT_STORAGE, 'quota_exceeded', 'There is more than is allowed for.'),
      INSUFFICIENT_STORAGE,
    );
  }
}
