import { describe, expect, it } from '@jest/globals';
import { headersOf } from '../../src/scope/call-headers.js';

const headers = { 'x-api-key': 'a' };
const call = (type: string): { getType: () => string; getArgs: () => unknown[] } => ({
  getType: () => type,
  getArgs: () => [],
});

describe('headersOf', () => {
  it.each<[string, object, unknown]>([
    ['http', { headers }, { headers }],
    ['graphql', { headers }, { headers }],
    ['ws', { handshake: { headers } }, { headers }],
    // A plain WebSocket has no handshake; whatever it has under `headers` did not come from one.
    ['ws', { headers }, undefined],
    ['ws', { handshake: undefined }, undefined],
    ['ws', { handshake: {} }, undefined],
    ['rpc', { headers }, undefined],
    ['rpc', { args: [{}, 'pattern'] }, undefined],
    ['http', {}, undefined],
    ['http', { headers: 'text' }, undefined],
    ['http', { headers: undefined }, undefined],
  ])('of a call by %s with %j', (type, carrier, expected) => {
    expect(headersOf(call(type), carrier)).toEqual(expected);
  });

  it('is never a record without headers, though null is an object to typeof', () => {
    expect(headersOf(call('http'), { headers: null })).toBeUndefined();
    expect(headersOf(call('ws'), { handshake: { headers: null } })).toBeUndefined();
  });

  it('takes the metadata of gRPC, and keeps a doubled entry apart', () => {
    const metadata = {
      getMap: () => ({ 'x-api-key': 'a', other: 'b' }),
      get: (name: string) => (name === 'x-api-key' ? ['a', 'a'] : ['b']),
    };
    expect(headersOf(call('rpc'), metadata)).toEqual({ headers: { 'x-api-key': ['a', 'a'], other: 'b' } });
  });
});
