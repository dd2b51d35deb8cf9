import { Inject, Injectable } from '@nestjs/common';
import type { KeyfenceErrorCode } from '../errors/error-code.js';
import { KeyfenceEvents } from '../events/keyfence-events.service.js';
import type { KeyReference } from '../events/keyfence-event.js';
import type { Authentication } from '../principal/authentication.js';
import { Clock } from '../time/clock.js';
import { API_KEY_OPTIONS, type ApiKeyOptions } from './api-key-options.js';
import { clientAddressOf } from './client-address.js';

/** Tells of every refusal, once, with the reason that the caller is not told. */
@Injectable()
export class DenialReporter {
  constructor(
    private readonly events: KeyfenceEvents,
    @Inject(API_KEY_OPTIONS) private readonly options: ApiKeyOptions,
    private readonly clock: Clock,
  ) {}

  /**
   * @param errorCode what the caller is told
   * @param request what the option `clientAddress` takes; asked only if somebody listens
   * @param handler `Controller.method`, where a handler is known
   */
  report(errorCode: KeyfenceErrorCode, authentication: Authentication, request: object, handler?: string): void {
    this.events.emit(() => ({
      type: 'access_denied',
      at: new Date(this.clock.now()),
      errorCode,
      reason: authentication.status === 'invalid' ? authentication.reason : errorCode,
      key: keyOf(authentication),
      address: clientAddressOf(this.options, request),
      handler,
    }));
  }
}

function keyOf(authentication: Authentication): KeyReference | undefined {
  if (authentication.status === 'invalid') return authentication.key;
  if (authentication.status !== 'authenticated') return undefined;
  const { tenantId, keyId } = authentication.principal;
  return { tenantId, keyId };
}
