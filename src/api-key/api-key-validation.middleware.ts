import type { IncomingMessage, ServerResponse } from 'node:http';
import { Inject, Injectable, type NestMiddleware } from '@nestjs/common';
import type { Authentication } from '../principal/authentication.js';
import { attachTenantId, findingOf, noteFinding, rawRequestOf } from '../tenant/call.js';
import { ApiKeyAuthenticator } from './api-key-authenticator.service.js';
import { API_KEY_OPTIONS, type ApiKeyOptions } from './api-key-options.js';
import { DenialReporter } from './denial-reporter.service.js';
import { STRANGER_ANSWERS, type RefusalAnswer } from './refusal.js';

/**
 * Reads the key of a request before anything else runs, notes the principal for the guard, and answers a bad key at once.
 * It never grants anything: a request that it passes, or that never came by it, is decided by `ScopedKeyGuard`.
 *
 * It passes a request without a key (unless `middleware.missingKey` is `reject`), a bad key if `invalidKey` is `ignore`, any
 * request while the store is down, and a CORS preflight. It writes its answers itself, so exception filters do not see
 * them; with `middleware: { mount: false }` the guard gives the same answers through the filters. The key is taken out of the
 * request's headers when it was read, unless `apiKey.exposeKeyToHandlers` is set.
 */
@Injectable()
export class ApiKeyValidationMiddleware implements NestMiddleware<IncomingMessage, ServerResponse> {
  constructor(
    private readonly authenticator: ApiKeyAuthenticator,
    @Inject(API_KEY_OPTIONS) private readonly options: ApiKeyOptions,
    private readonly denials: DenialReporter,
  ) {}

  /** What it returns is awaited by Nest, which gives an error of the handlers behind `next()` to its filters. */
  use(request: IncomingMessage, response: ServerResponse, next: () => void): void | Promise<void> {
    const checked = this.check(request, request);
    if (!(checked instanceof Promise)) {
      proceed(response, checked, next);
      return;
    }
    return checked.then((answer) => {
      proceed(response, answer, next);
    });
  }

  /**
   * Notes who calls, and gives what is to be answered; `undefined` lets the request pass.
   * @param addressed what `clientAddress` is asked with: the request of the framework
   * @internal
   */
  check(request: IncomingMessage, addressed: object): RefusalAnswer | undefined | Promise<RefusalAnswer | undefined> {
    const raw = rawRequestOf(request);
    if (raw === undefined || isPreflight(request) || findingOf(raw, this.authenticator) !== undefined) return undefined;
    const found = this.authenticator.authenticate(request, addressed);
    if (found instanceof Promise || found.status !== 'missing') this.authenticator.conceal(request);
    return found instanceof Promise
      ? found.then((authentication) => this.#note(raw, addressed, authentication))
      : this.#note(raw, addressed, found);
  }

  #note(raw: object, addressed: object, authentication: Authentication): RefusalAnswer | undefined {
    const answer = this.#answerTo(authentication.status);
    if (answer !== undefined) {
      this.denials.report(answer.errorCode, authentication, addressed);
      return answer;
    }
    // That there is no key is not noted: other middleware may still put one into the header, and looking costs nothing.
    if (authentication.status !== 'missing') noteFinding(raw, this.authenticator, authentication);
    if (authentication.status === 'authenticated') attachTenantId(raw, authentication.principal.tenantId);
    return undefined;
  }

  #answerTo(status: Authentication['status']): RefusalAnswer | undefined {
    const { invalidKey, missingKey } = this.options;
    if (status === 'invalid' && invalidKey === 'reject') return STRANGER_ANSWERS.invalid;
    if (status === 'missing' && missingKey === 'reject') return STRANGER_ANSWERS.missing;
    return undefined;
  }
}

/** A browser sends no credentials with it, and whoever answers it runs no handler. */
function isPreflight({ method, headers }: IncomingMessage): boolean {
  return method === 'OPTIONS' && headers.origin !== undefined && headers['access-control-request-method'] !== undefined;
}

function proceed(response: ServerResponse, answer: RefusalAnswer | undefined, next: () => void): void {
  if (answer === undefined) {
    next();
    return;
  }
  const { status, headers, body } = answer;
  response.statusCode = status;
  for (const name in headers) response.setHeader(name, headers[name] ?? '');
  response.end(body);
}
