import type { Authentication } from '../principal/authentication.js';
import type { Principal } from '../principal/principal.js';

/** One call of a handler, on any transport. Nest's `ExecutionContext` and `ArgumentsHost` are such. */
export interface Call {
  getType(): string;
  getArgs(): unknown[];
}

/** Shared by all copies of this package in a process, and by Express, Fastify and node:http, which share the raw request. */
const FINDING = Symbol.for('nestjs-keyfence:finding');
const ADMITTED = Symbol.for('nestjs-keyfence:admitted');

/** What was found out about a caller, and by whom: another application in the same process may have other keys. */
interface Finding {
  readonly by: object;
  readonly authentication: Authentication;
}

interface Noted {
  [FINDING]?: Finding;
  [ADMITTED]?: Principal;
}

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

/** Notes what was found out about the caller, for the guard. It admits nobody. */
export function noteFinding(carrier: object, by: object, authentication: Authentication): void {
  const finding: Finding = { by, authentication };
  note(carrier, FINDING, finding);
}

/** What `by` has noted, or `undefined` if it has not looked yet. */
export function findingOf(carrier: object, by: object): Authentication | undefined {
  const finding = (carrier as Noted)[FINDING];
  return finding?.by === by ? finding.authentication : undefined;
}

/** Notes that the guard let the call pass, and for whom; `undefined` for a public route without a valid key. */
export function admit(carrier: object, principal: Principal | undefined): void {
  note(carrier, ADMITTED, principal);
}

/** The principal that the guard admitted. A handler that no guard of ours stands before has none. */
export function principalOf(carrier: object | undefined): Principal | undefined {
  return (carrier as Noted | undefined)?.[ADMITTED];
}

/** Sets `tenantId` on a request, as handlers expect it, and on the raw request behind it, for middleware. */
export function attachTenantId(request: object, tenantId: string): void {
  (request as { tenantId?: string }).tenantId = tenantId;
  const raw = rawRequestOf(request);
  if (raw !== undefined && raw !== request) (raw as { tenantId?: string }).tenantId = tenantId;
}

/** Not enumerable, so that printing a request does not show it. */
function note(carrier: object, key: symbol, value: unknown): void {
  Object.defineProperty(carrier, key, { value, configurable: true });
}

function property(value: unknown, name: string): unknown {
  return (asObject(value) as Record<string, unknown> | undefined)?.[name];
}

function asObject(value: unknown): object | undefined {
  return typeof value === 'object' && value !== null ? value : undefined;
}
