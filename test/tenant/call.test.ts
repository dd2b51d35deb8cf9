import { format, inspect } from 'node:util';
import { describe, expect, it } from '@jest/globals';
import type { Authentication } from '../../src/principal/authentication.js';
import type { Principal } from '../../src/principal/principal.js';
import {
  admit,
  attachTenantId,
  carrierOf,
  findingOf,
  noteFinding,
  principalOf,
  rawRequestOf,
} from '../../src/tenant/call.js';

const PRINCIPAL = { tenantId: 'acme', keyId: 'key_1', scopes: ['files:read'] } as unknown as Principal;
/** Stands for an application, which finds only what it noted itself. */
const HERE = {};
const AUTHENTICATED: Authentication = { status: 'authenticated', principal: PRINCIPAL };

function call(type: string, ...args: unknown[]): { getType: () => string; getArgs: () => unknown[] } {
  return { getType: () => type, getArgs: () => args };
}

describe('carrierOf', () => {
  const raw = { raw: undefined };

  it.each<[string, unknown[], unknown]>([
    ['http', [raw], raw],
    ['http', [{ raw }], raw],
    ['graphql', [undefined, {}, { req: raw }], raw],
    ['graphql', [undefined, {}, { req: { raw } }], raw],
    ['graphql', [undefined, {}, {}], undefined],
    ['graphql', [undefined, {}], undefined],
    ['ws', [raw, 'data'], raw],
    ['rpc', ['data', raw], raw],
    ['rpc', [raw], undefined],
    ['http', [], undefined],
    ['http', ['text'], undefined],
    ['ws', [null], undefined],
    ['something-else', [raw], undefined],
  ])('of a call by %s with %j', (type, args, carrier) => {
    expect(carrierOf(call(type, ...args))).toBe(carrier);
  });
});

describe('what is noted of a caller', () => {
  it('is found again on the same request, and on no other', () => {
    const request = {};
    noteFinding(request, HERE, AUTHENTICATED);
    expect(findingOf(request, HERE)).toBe(AUTHENTICATED);
    expect(findingOf({}, HERE)).toBeUndefined();
  });

  it('is of no use to another application in the same process', () => {
    const request = {};
    noteFinding(request, HERE, AUTHENTICATED);
    expect(findingOf(request, {})).toBeUndefined();
  });

  it('admits nobody: that is for the guard to do', () => {
    const request = {};
    noteFinding(request, HERE, AUTHENTICATED);
    expect(principalOf(request)).toBeUndefined();
    admit(request, PRINCIPAL);
    expect(principalOf(request)).toBe(PRINCIPAL);
    expect(principalOf({})).toBeUndefined();
    expect(principalOf(undefined)).toBeUndefined();
  });

  it('can be replaced, as for the next message of a socket', () => {
    const socket = {};
    admit(socket, PRINCIPAL);
    admit(socket, undefined);
    expect(principalOf(socket)).toBeUndefined();
  });

  it('is not shown by printing the request', () => {
    const request = {};
    noteFinding(request, HERE, AUTHENTICATED);
    admit(request, PRINCIPAL);
    for (const printed of [
      inspect(request),
      inspect(request, { depth: Infinity, showHidden: true, getters: true }),
      inspect({ ...request }),
      format('%s %o %O %j', request, request, request, request),
    ]) {
      expect(printed).not.toMatch(/key_1|acme|files:read|authenticated/);
    }
    expect(JSON.stringify(request)).toBe('{}');
    expect(Object.keys(request)).toEqual([]);
  });

  it.each([
    ['a header', { headers: { 'nestjs-keyfence:finding': AUTHENTICATED, 'nestjs-keyfence:admitted': PRINCIPAL } }],
    ['a property of that name', { 'nestjs-keyfence:finding': AUTHENTICATED, 'nestjs-keyfence:admitted': PRINCIPAL }],
    ['a body', { body: { status: 'authenticated', principal: PRINCIPAL } }],
    ['a parsed __proto__', JSON.parse('{"__proto__":{"status":"authenticated"}}') as object],
  ])('cannot come from %s', (_where, request) => {
    expect(findingOf(request, HERE)).toBeUndefined();
    expect(principalOf(request)).toBeUndefined();
  });
});

describe('attachTenantId', () => {
  it('sets it on the request and on the raw one behind it', () => {
    const raw: { tenantId?: string } = {};
    const request: { raw: object; tenantId?: string } = { raw };
    attachTenantId(request, 'acme');
    expect([request.tenantId, raw.tenantId]).toEqual(['acme', 'acme']);
  });

  it('replaces what anybody else put there', () => {
    const request = { tenantId: 'globex' };
    attachTenantId(request, 'acme');
    expect(request.tenantId).toBe('acme');
    expect(rawRequestOf(request)).toBe(request);
  });
});
