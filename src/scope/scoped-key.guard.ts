import { Inject, Injectable, type CanActivate, type ExecutionContext } from '@nestjs/common';
import { ApiKeyAuthenticator } from '../api-key/api-key-authenticator.service.js';
import { API_KEY_OPTIONS, type ApiKeyOptions } from '../api-key/api-key-options.js';
import { challengeFor, exceptionFor } from '../api-key/refusal.js';
import { InsufficientScopeException, UndeclaredRouteException } from '../errors/authorization.exceptions.js';
import { withoutStack, type KeyfenceException } from '../errors/refusal.exception.js';
import { toTransportException } from '../errors/transport.exceptions.js';
import type { Authentication } from '../principal/authentication.js';
import type { Principal } from '../principal/principal.js';
import { attachTenantId, carrierOf, recordAuthentication, recordedAuthentication } from '../tenant/call.js';
import { policyOf, unmetBy, type AccessPolicy } from './access-rule.js';
import { headersOf } from './call-headers.js';

const MISSING: Authentication = { status: 'missing' };

/**
 * The authority: decides whether a call may reach its handler, on every transport. It takes what the middleware found out,
 * and authenticates by itself where the middleware did not run, so that skipping the middleware gains nothing.
 *
 * A handler that declares nothing is denied. Requirements of class and method add up. Refusals are the exceptions of
 * `errorCode` `missing_credentials`, `invalid_api_key`, `insufficient_scope`, `undeclared_route` and
 * `key_store_unavailable`; in a gateway or an RPC controller the same as `WsException` or `RpcException`.
 */
@Injectable()
export class ScopedKeyGuard implements CanActivate {
  readonly #policies = new WeakMap<object, WeakMap<object, AccessPolicy>>();

  constructor(
    private readonly authenticator: ApiKeyAuthenticator,
    @Inject(API_KEY_OPTIONS) private readonly options: ApiKeyOptions,
  ) {}

  canActivate(context: ExecutionContext): boolean | Promise<boolean> {
    const authentication = this.#authenticate(context);
    return authentication instanceof Promise
      ? authentication.then((settled) => this.#decide(context, settled))
      : this.#decide(context, authentication);
  }

  /** What is known of the caller; asked anew for every message of a socket, whose key may have been revoked meanwhile. */
  #authenticate(context: ExecutionContext): Authentication | Promise<Authentication> {
    const carrier = carrierOf(context);
    if (carrier === undefined) return MISSING;
    const recorded = context.getType<string>() === 'ws' ? undefined : recordedAuthentication(carrier);
    if (recorded !== undefined) return recorded;
    const headers = headersOf(context, carrier);
    const request = context.getArgByIndex<unknown>(0);
    if (headers === undefined) return MISSING;
    const found = this.authenticator.authenticate(
      headers,
      typeof request === 'object' && request !== null ? request : carrier,
    );
    return found instanceof Promise ? found.then((settled) => record(carrier, settled)) : record(carrier, found);
  }

  #decide(context: ExecutionContext, authentication: Authentication): boolean | Promise<never> {
    const policy = this.#policyOf(context.getClass(), context.getHandler());
    const refusal =
      authentication.status === 'authenticated'
        ? refusalOfPrincipal(policy, authentication.principal, context)
        : this.#refusalOfStranger(policy, authentication);
    if (refusal !== undefined) return refuse(context, refusal);
    if (authentication.status === 'authenticated') attachTenant(context, authentication.principal);
    return true;
  }

  /** A public route is open to whoever sends no key, and while the store is down; to a bad key by option only. */
  #refusalOfStranger(
    policy: AccessPolicy,
    authentication: Exclude<Authentication, { status: 'authenticated' }>,
  ): KeyfenceException | undefined {
    const isPublic = policy.access === 'public';
    if (isPublic && (authentication.status !== 'invalid' || this.options.invalidKey === 'ignore')) return undefined;
    return exceptionFor(authentication);
  }

  #policyOf(target: object, handler: object): AccessPolicy {
    let policies = this.#policies.get(target);
    if (policies === undefined) this.#policies.set(target, (policies = new WeakMap<object, AccessPolicy>()));
    let policy = policies.get(handler);
    if (policy === undefined) policies.set(handler, (policy = policyOf(target, handler)));
    return policy;
  }
}

function record(carrier: object, authentication: Authentication): Authentication {
  recordAuthentication(carrier, authentication);
  return authentication;
}

function refusalOfPrincipal(
  policy: AccessPolicy,
  principal: Principal,
  context: ExecutionContext,
): KeyfenceException | undefined {
  if (policy.access === 'public') return undefined;
  if (policy.access === 'undeclared') return withoutStack(() => new UndeclaredRouteException());
  for (const rule of policy.rules) {
    const unmet = unmetBy(rule, principal.scopes, methodOf(context));
    if (unmet !== undefined) return withoutStack(() => new InsufficientScopeException(unmet));
  }
  return undefined;
}

function methodOf(context: ExecutionContext): unknown {
  return context.getType() === 'http' ? context.switchToHttp().getRequest<{ method?: unknown }>().method : undefined;
}

/** `req.tenantId`, where NestJS users look for it: on the framework's request and on the raw one. */
function attachTenant(context: ExecutionContext, { tenantId }: Principal): void {
  if (context.getType() === 'http') attachTenantId(context.switchToHttp().getRequest<object>(), tenantId);
}

function refuse(context: ExecutionContext, refusal: KeyfenceException): Promise<never> {
  const transport = context.getType<string>();
  if (transport === 'http') setChallenge(context.switchToHttp().getResponse<HeaderSink>(), refusal);
  if (transport === 'ws' || transport === 'rpc') return rejectOn(transport, refusal);
  throw refusal;
}

async function rejectOn(transport: 'ws' | 'rpc', refusal: KeyfenceException): Promise<never> {
  throw await toTransportException(transport, refusal);
}

/** A response of Express or node:http, or a reply of Fastify. */
interface HeaderSink {
  setHeader?(name: string, value: string): unknown;
  header?(name: string, value: string): unknown;
}

function setChallenge(response: HeaderSink, refusal: KeyfenceException): void {
  const challenge = challengeFor(refusal);
  if (challenge === undefined) return;
  if (response.setHeader !== undefined) response.setHeader('WWW-Authenticate', challenge);
  else response.header?.('WWW-Authenticate', challenge);
}
