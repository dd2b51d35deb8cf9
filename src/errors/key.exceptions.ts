import { HttpStatus, NotFoundException, ServiceUnavailableException } from '@nestjs/common';
import { refusalBody } from './refusal.exception.js';

/** 404: the tenant has no such key. The same for another tenant's key. */
export class KeyNotFoundException extends NotFoundException {
  override readonly errorCode = 'key_not_found';

  constructor() {
    super(refusalBody(HttpStatus.NOT_FOUND, 'key_not_found', 'There is no such API key.'));
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
