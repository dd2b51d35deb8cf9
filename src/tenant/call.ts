import type { Authentication } from '../principal/authentication.js';
import type { Principal } from '../principal/principal.js';

/** One call of a handler, on any transport. Nest's `ExecutionContext` and `ArgumentsHost` are such. */
export interface Call {
  getType(): string;
  getArgs(): unknown[];
}

/** Shared by all copies of this package in a process, and by Express, Fastify and node:http, which share the raw request. */
const AUTHENTICATION = Symbol.for('nestjs-keyfence:authentication');

/**
 * The object that lives as long as the call and holds what is known of its caller: the raw request, a socket, or the
 * context of a message. `undefined` where a transport has no such object: then nobody is known.
 */
export function carrierOf(call: Call): object | undefined {
  const args = call.getArgs();
  switch (call.getType()) {
    case 'http':
      return rawRequestOf(args[0]);
    case 'graphql':
      return rawRequestOf(property(args[2], 'req'));
    case 'ws':
      return asObject(args[0]);
    case 'rpc':
      return asObject(args[1]);
    default:
      return undefined;
  }
}

/** The node:http request behind a framework's own; Fastify's middleware gets the former and its handlers the latter. */
export function rawRequestOf(request: unknown): object | undefined {
  return asObject(property(request, 'raw')) ?? asObject(request);
}

/** Notes what was found out about the caller. Not enumerable, so that printing a request does not show it. */
export function recordAuthentication(carrier: object, authentication: Authentication): void {
  Object.defineProperty(carrier, AUTHENTICATION, { value: authentication, configurable: true });
}

/** What was noted, or `undefined` if nobody has looked yet. */
export function recordedAuthentication(carrier: object): Authentication | undefined {
  return (carrier as { [AUTHENTICATION]?: Authentication })[AUTHENTICATION];
}

/** The principal of the call, if its key was accepted. */
export function principalOf(carrier: object | undefined): Principal | undefined {
  const authentication = carrier === undefined ? undefined : recordedAuthentication(carrier);
  return authentication?.status === 'authenticated' ? authentication.principal : undefined;
}

/** Sets `tenantId` on a request, as handlers expect it, and on the raw request behind it, for middleware. */
export function attachTenantId(request: object, tenantId: string): void {
  (request as { tenantId?: string }).tenantId = tenantId;
  const raw = rawRequestOf(request);
  if (raw !== undefined && raw !== request) (raw as { tenantId?: string }).tenantId = tenantId;
}

function property(value: unknown, name: string): unknown {
  return (asObject(value) as Record<string, unknown> | undefined)?.[name];
}

function asObject(value: unknown): object | undefined {
  return typeof value === 'object' && value !== null ? value : undefined;
}
