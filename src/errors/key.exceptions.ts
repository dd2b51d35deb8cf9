import { ConflictException, HttpStatus, NotFoundException, ServiceUnavailableException } from '@nestjs/common';
import { refusalBody } from './refusal.exception.js';

/** 404: the tenant has no such key. The same for another tenant's key. */
export class KeyNotFoundException extends NotFoundException {
  override readonly errorCode = 'key_not_found';

  constructor() {
    super(refusalBody(HttpStatus.NOT_FOUND, 'key_not_found', 'There is no such API key.'));
  }
}

/** 409: the key was revoked, replaced or changed meanwhile, or has expired, so what was asked cannot be done with it. */
export class KeyConflictException extends ConflictException {
  override readonly errorCode = 'key_conflict';

  constructor() {
    super(refusalBody(HttpStatus.CONFLICT, 'key_conflict', 'The API key has ended or was changed meanwhile.'));
  }
}

/** 503: the key store failed or did not answer in time, so nobody gets in; `cause` holds what it threw. */
export class KeyStoreUnavailableException extends ServiceUnavailableException {
  override readonly errorCode = 'key_store_unavailable';

  constructor(cause?: unknown) {
    super(
      refusalBody(HttpStatus.SERVICE_UNAVAILABLE, 'key_store_unavailable', 'API keys cannot be checked right now.'),
      { cause },
    );
  }
}
