import { InvalidApiKeyException, MissingCredentialsException } from '../errors/authentication.exceptions.js';
import type { KeyfenceErrorCode } from '../errors/error-code.js';
import { KeyStoreUnavailableException } from '../errors/key.exceptions.js';
import { withoutStack, type KeyfenceException } from '../errors/refusal.exception.js';
import type { Authentication } from '../principal/authentication.js';

/** The refusal for whoever is not authenticated: the same from the middleware and from the guard. */
export function exceptionFor(authentication: Exclude<Authentication, { status: 'authenticated' }>): KeyfenceException {
  return withoutStack(() => {
    switch (authentication.status) {
      case 'missing':
        return new MissingCredentialsException();
      case 'invalid':
        return new InvalidApiKeyException(authentication.reason);
      case 'unavailable':
        return new KeyStoreUnavailableException(authentication.cause);
    }
  });
}

/** The `WWW-Authenticate` header that goes with a refusal (RFC 6750, section 3), or `undefined` where none does. */
export function challengeFor(refusal: KeyfenceException): string | undefined {
  switch (refusal.errorCode) {
    case 'missing_credentials':
      return 'Bearer realm="api"';
    case 'invalid_api_key':
      return 'Bearer realm="api", error="invalid_token", error_description="The API key is not valid"';
    case 'insufficient_scope':
      return 'Bearer realm="api", error="insufficient_scope"';
    default:
      return undefined;
  }
}

/** A refusal as it is written where no exception filter stands behind it. */
export interface RefusalAnswer {
  readonly status: number;
  readonly errorCode: KeyfenceErrorCode;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

/** What a stranger is answered before any handler is chosen: made once, since the body never depends on the request. */
export const STRANGER_ANSWERS = {
  missing: answerOf(exceptionFor({ status: 'missing' })),
  invalid: answerOf(exceptionFor({ status: 'invalid', reason: 'unknown_key' })),
} as const;

function answerOf(refusal: KeyfenceException): RefusalAnswer {
  const body = JSON.stringify(refusal.getResponse());
  const challenge = challengeFor(refusal);
  return Object.freeze({
    status: refusal.getStatus(),
    errorCode: refusal.errorCode,
    headers: {
      'Content-Type': 'application/json; charset=utf-8',
      'Content-Length': String(Buffer.byteLength(body)),
      ...(challenge === undefined ? undefined : { 'WWW-Authenticate': challenge }),
    },
    body,
  });
}
