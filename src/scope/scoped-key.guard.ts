import { Inject, Injectable, type CanActivate, type ExecutionContext } from '@nestjs/common';
import { ApiKeyAuthenticator } from '../api-key/api-key-authenticator.service.js';
import { API_KEY_OPTIONS, type ApiKeyOptions } from '../api-key/api-key-options.js';
import type { MutableHeaderSource } from '../api-key/credential.js';
import { DenialReporter } from '../api-key/denial-reporter.service.js';
import { challengeFor, exceptionFor } from '../api-key/refusal.js';
import { InsufficientScopeException, UndeclaredRouteException } from '../errors/authorization.exceptions.js';
import { withoutStack, type KeyfenceException } from '../errors/refusal.exception.js';
import { toTransportException } from '../errors/transport.exceptions.js';
import type { Authentication } from '../principal/authentication.js';
import type { Principal } from '../principal/principal.js';
import { admit, attachTenantId, carrierOf, findingOf, noteFinding } from '../tenant/call.js';
import { policyOf, unmetBy, type AccessPolicy, type Constructor } from './access-rule.js';
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
  /** For calls that share their carrier with later ones: the messages of a socket. */
  readonly #findings = new WeakMap<object, Authentication | Promise<Authentication>>();

  constructor(
    private readonly authenticator: ApiKeyAuthenticator,
    @Inject(API_KEY_OPTIONS) private readonly options: ApiKeyOptions,
    private readonly denials: DenialReporter,
  ) {}

  canActivate(context: ExecutionContext): boolean | Promise<boolean> {
    const carrier = carrierOf(context);
    const found = carrier === undefined ? MISSING : this.#lookAt(context, carrier);
    return found instanceof Promise
      ? found.then((authentication) => this.#decide(context, carrier, authentication))
      : this.#decide(context, carrier, found);
  }

  /** Once for a request; for a socket once for every message, since its key may have been revoked meanwhile. */
  #lookAt(context: ExecutionContext, carrier: object): Authentication | Promise<Authentication> {
    if (isLongLived(context, carrier)) {
      const known = this.#findings.get(context) ?? this.#authenticate(context, carrier);
      this.#findings.set(context, known);
      return known;
    }
    const noted = findingOf(carrier, this.authenticator);
    if (noted !== undefined) return noted;
    const found = this.#authenticate(context, carrier);
    this.#conceal(context, carrier, found);
    return found instanceof Promise
      ? found.then((settled) => this.#note(carrier, settled))
      : this.#note(carrier, found);
  }

  #authenticate(context: ExecutionContext, carrier: object): Authentication | Promise<Authentication> {
    const headers = headersOf(context, carrier);
    return headers === undefined ? MISSING : this.authenticator.authenticate(headers, addressed(context, carrier));
  }

  /** A request is looked at once, so the key is not needed in it any more. */
  #conceal(context: ExecutionContext, carrier: object, found: Authentication | Promise<Authentication>): void {
    const transport = context.getType<string>();
    if (transport !== 'http' && transport !== 'graphql') return;
    if (!(found instanceof Promise) && found.status === 'missing') return;
    const headers = headersOf(context, carrier);
    if (headers !== undefined) this.authenticator.conceal(headers as MutableHeaderSource);
  }

  #note(carrier: object, authentication: Authentication): Authentication {
    noteFinding(carrier, this.authenticator, authentication);
    return authentication;
  }

  #decide(
    context: ExecutionContext,
    carrier: object | undefined,
    authentication: Authentication,
  ): boolean | Promise<never> {
    const policy = this.#policyOf(context.getClass(), context.getHandler());
    const principal = authentication.status === 'authenticated' ? authentication.principal : undefined;
    const refusal =
      authentication.status === 'authenticated'
        ? refusalOfPrincipal(policy, authentication.principal, context)
        : this.#refusalOfStranger(policy, authentication);
    if (refusal !== undefined) {
      const handler = `${context.getClass().name}.${context.getHandler().name}`;
      this.denials.report(refusal.errorCode, authentication, addressed(context, carrier ?? {}), handler);
      return refuse(context, refusal);
    }
    if (carrier !== undefined) admit(carrier, principal);
    if (principal !== undefined) attachTenant(context, principal);
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

  #policyOf(target: Constructor, handler: object): AccessPolicy {
    let policies = this.#policies.get(target);
    if (policies === undefined) this.#policies.set(target, (policies = new WeakMap<object, AccessPolicy>()));
    let policy = policies.get(handler);
    if (policy === undefined) policies.set(handler, (policy = policyOf(target, handler)));
    return policy;
  }
}

/** What `clientAddress` takes. Only on HTTP the first argument is the request; elsewhere it is what the caller sent. */
function addressed(context: ExecutionContext, carrier: object): object {
  return context.getType() === 'http' ? context.switchToHttp().getRequest<object>() : carrier;
}

/** A socket, or GraphQL over one: what carries the call carries the calls after it too. */
function isLongLived(context: ExecutionContext, carrier: object): boolean {
  const transport = context.getType<string>();
  if (transport !== 'graphql') return transport === 'ws';
  return headersOf(context, carrier)?.headers.upgrade !== undefined;
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
