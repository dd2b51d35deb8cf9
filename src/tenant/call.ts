import type { Authentication } from '../principal/authentication.js';
import type { Principal } from '../principal/principal.js';
import { CallerNotes } from './caller-notes.js';

/** One call of a handler, on any transport. Nest's `ExecutionContext` and `ArgumentsHost` are such. */
export interface Call {
  getType(): string;
  getArgs(): unknown[];
}

/** Shared by all copies of this package in a process, and by Express, Fastify and node:http, which share the raw request. */
const CALLER = Symbol.for('nestjs-keyfence:caller');

interface Noted {
  [CALLER]?: CallerNotes;
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
  notesOn(carrier).noteFinding(by, authentication);
}

/** What `by` has noted, or `undefined` if it has not looked yet. */
export function findingOf(carrier: object, by: object): Authentication | undefined {
  return (carrier as Noted)[CALLER]?.findingOf(by);
}

/** Notes that the guard let the call pass, and for whom; `undefined` for a public route without a valid key. */
export function admit(carrier: object, principal: Principal | undefined): void {
  notesOn(carrier).admit(principal);
}

/** The principal that the guard admitted. A handler that no guard of ours stands before has none. */
export function principalOf(carrier: object | undefined): Principal | undefined {
  return carrier === undefined ? undefined : (carrier as Noted)[CALLER]?.admitted();
}

/** Sets `tenantId` on a request, as handlers expect it, and on the raw request behind it, for middleware. */
export function attachTenantId(request: object, tenantId: string): void {
  (request as { tenantId?: string }).tenantId = tenantId;
  const raw = rawRequestOf(request);
  if (raw !== undefined && raw !== request) (raw as { tenantId?: string }).tenantId = tenantId;
}

function notesOn(carrier: Noted): CallerNotes {
  return (carrier[CALLER] ??= new CallerNotes());
}

function property(value: unknown, name: string): unknown {
  return (asObject(value) as Record<string, unknown> | undefined)?.[name];
}

function asObject(value: unknown): object | undefined {
  return typeof value === 'object' && value !== null ? value : undefined;
}
