import { BadRequestException, ForbiddenException, HttpStatus } from '@nestjs/common';
import { refusalBody } from './refusal.exception.js';

/** What led out of the directory, or could have. For operators only. */
export type PathEscapeReason =
  | 'traversal'
  | 'absolute'
  | 'encoded'
  | 'symlink'
  | 'hard_link'
  | 'special_file'
  | 'mount'
  | 'outside_grant'
  | 'outside_allowed_prefixes'
  | 'unresolvable';

/**
 * 403: the path leads out of where it belongs, or names something that could: `..`, an absolute path, an encoded
 * traversal, a symbolic link, a hard link, a special file, a mount; or the caller's key is not granted the path. One
 * answer for all of these, whatever a link points to; {@link reason} says which it was and is never part of the response.
 */
export class PathEscapeException extends ForbiddenException {
  override readonly errorCode = 'path_escape';
  readonly #reason: PathEscapeReason;

  constructor(reason: PathEscapeReason) {
    super(refusalBody(HttpStatus.FORBIDDEN, 'path_escape', 'The path is not allowed.'));
    this.#reason = reason;
  }

  /** For logs and metrics; not enumerable, so that serializing the exception does not disclose it. */
  get reason(): PathEscapeReason {
    return this.#reason;
  }
}

/** 400: the path is empty, too long, or holds a NUL, a control character or another name that is not portable. */
export class InvalidPathException extends BadRequestException {
  override readonly errorCode = 'invalid_path';

  constructor(message = 'The path is not valid.') {
    super(refusalBody(HttpStatus.BAD_REQUEST, 'invalid_path', message));
  }
}
