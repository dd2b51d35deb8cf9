import type { IncomingMessage, ServerResponse } from 'node:http';
import { Inject, Injectable, type NestMiddleware } from '@nestjs/common';
import type { KeyfenceException } from '../errors/refusal.exception.js';
import type { Authentication } from '../principal/authentication.js';
import { attachTenantId, findingOf, noteFinding, rawRequestOf } from '../tenant/call.js';
import { ApiKeyAuthenticator } from './api-key-authenticator.service.js';
import { API_KEY_OPTIONS, type ApiKeyOptions } from './api-key-options.js';
import { challengeFor, exceptionFor } from './refusal.js';

/**
 * Reads the key of a request before anything else runs, notes the principal for the guard, and answers a bad key at once.
 * It never grants anything: a request that it passes, or that never came by it, is decided by `ScopedKeyGuard`.
 *
 * It passes a request without a key (unless `middleware.missingKey` is `reject`), a bad key if `invalidKey` is `ignore`, any
 * request while the store is down, and a CORS preflight. It writes its answers itself, so exception filters do not see
 * them; with `middleware: { mount: false }` the guard gives the same answers through the filters.
 */
@Injectable()
export class ApiKeyValidationMiddleware implements NestMiddleware<IncomingMessage, ServerResponse> {
  constructor(
    private readonly authenticator: ApiKeyAuthenticator,
    @Inject(API_KEY_OPTIONS) private readonly options: ApiKeyOptions,
  ) {}

  /** What it returns is awaited by Nest, which gives an error of the handlers behind `next()` to its filters. */
  use(request: IncomingMessage, response: ServerResponse, next: () => void): void | Promise<void> {
    const raw = rawRequestOf(request);
    if (raw === undefined || isPreflight(request) || findingOf(raw, this.authenticator) !== undefined) {
      next();
      return;
    }
    const found = this.authenticator.authenticate(request, request);
    if (!(found instanceof Promise)) {
      this.#proceed(raw, found, response, next);
      return;
    }
    return found.then((authentication) => {
      this.#proceed(raw, authentication, response, next);
    });
  }

  #proceed(raw: object, authentication: Authentication, response: ServerResponse, next: () => void): void {
    if (authentication.status !== 'authenticated' && this.#answers(authentication.status)) {
      answer(response, exceptionFor(authentication));
      return;
    }
    // That there is no key is not noted: other middleware may still put one into the header, and looking costs nothing.
    if (authentication.status !== 'missing') noteFinding(raw, this.authenticator, authentication);
    if (authentication.status === 'authenticated') attachTenantId(raw, authentication.principal.tenantId);
    next();
  }

  #answers(status: 'missing' | 'invalid' | 'unavailable'): boolean {
    if (status === 'invalid') return this.options.invalidKey === 'reject';
    return status === 'missing' && this.options.missingKey === 'reject';
  }
}

/** A browser sends no credentials with it, and whoever answers it runs no handler. */
function isPreflight({ method, headers }: IncomingMessage): boolean {
  return method === 'OPTIONS' && headers.origin !== undefined && headers['access-control-request-method'] !== undefined;
}

function answer(response: ServerResponse, refusal: KeyfenceException): void {
  const body = JSON.stringify(refusal.getResponse());
  const challenge = challengeFor(refusal);
  response.statusCode = refusal.getStatus();
  response.setHeader('Content-Type', 'application/json; charset=utf-8');
  response.setHeader('Content-Length', Buffer.byteLength(body));
  if (challenge !== undefined) response.setHeader('WWW-Authenticate', challenge);
  response.end(body);
}
