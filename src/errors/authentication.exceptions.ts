import { HttpStatus, UnauthorizedException } from '@nestjs/common';
import { refusalBody } from './refusal.exception.js';

/** 401: the request carries no API key. */
export class MissingCredentialsException extends UnauthorizedException {
  override readonly errorCode = 'missing_credentials';

  constructor() {
    super(refusalBody(HttpStatus.UNAUTHORIZED, 'missing_credentials', 'An API key is required.'));
  }
}

/** Why a key was not accepted. For operators only: callers get one answer for all of these. */
export type InvalidKeyReason =
  | 'malformed_credentials'
  | 'malformed_key'
  | 'bad_checksum'
  | 'unknown_key'
  | 'wrong_secret'
  | 'wrong_environment'
  | 'malformed_record'
  | 'unknown_digest_version'
  | 'revoked'
  | 'rotated'
  | 'expired'
  | 'not_yet_valid'
  | 'address_not_allowed';

/**
 * 401: the request carries a key that is not accepted. Its body is the same whatever is wrong with the key, so that
 * it tells nobody which keys exist; {@link reason} says which it was and is never part of the response.
 */
export class InvalidApiKeyException extends UnauthorizedException {
  override readonly errorCode = 'invalid_api_key';
  readonly #reason: InvalidKeyReason;

  constructor(reason: InvalidKeyReason) {
    super(refusalBody(HttpStatus.UNAUTHORIZED, 'invalid_api_key', 'The API key is not valid.'));
    this.#reason = reason;
  }

  /** For logs and metrics; not enumerable, so that serializing the exception does not disclose it. */
  get reason(): InvalidKeyReason {
    return this.#reason;
  }
}
