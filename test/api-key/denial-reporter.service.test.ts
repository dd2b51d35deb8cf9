import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { Logger } from '@nestjs/common';
import type { ApiKeyOptions } from '../../src/api-key/api-key-options.js';
import { InMemoryApiKeyStore } from '../../src/api-key/in-memory-api-key.store.js';
import type { KeyfenceErrorCode } from '../../src/errors/error-code.js';
import type { Authentication } from '../../src/principal/authentication.js';
import type { Principal } from '../../src/principal/principal.js';
import { CapturedLog } from '../support/captured-log.js';
import { KeyServices } from '../support/key-services.js';

const KEY = { tenantId: 'acme', keyId: 'key_1' };
const PRINCIPAL = { ...KEY, scopes: ['files:read'], metadata: { note: 'private' } } as unknown as Principal;
const AUTHENTICATED: Authentication = { status: 'authenticated', principal: PRINCIPAL };
const CAUSE = new Error('postgres://user:password@db');

function setup(clientAddress: ApiKeyOptions['clientAddress'] = () => '203.0.113.7'): KeyServices {
  return new KeyServices(new InMemoryApiKeyStore(), { clientAddress });
}

let log: CapturedLog;

beforeEach(() => {
  log = new CapturedLog();
  Logger.overrideLogger(log);
});

afterEach(() => {
  Logger.overrideLogger(false);
});

describe('a denial', () => {
  it.each<[string, KeyfenceErrorCode, Authentication, object]>([
    ['without a key', 'missing_credentials', { status: 'missing' }, { reason: 'missing_credentials' }],
    [
      'of a key that nobody knows',
      'invalid_api_key',
      { status: 'invalid', reason: 'unknown_key' },
      { reason: 'unknown_key', errorCode: 'invalid_api_key' },
    ],
    [
      'of a key that was found',
      'invalid_api_key',
      { status: 'invalid', reason: 'revoked', key: KEY } as unknown as Authentication,
      { reason: 'revoked', errorCode: 'invalid_api_key', key: KEY },
    ],
    [
      'while the store is down',
      'key_store_unavailable',
      { status: 'unavailable', cause: CAUSE },
      { reason: 'key_store_unavailable' },
    ],
    ['of a principal', 'insufficient_scope', AUTHENTICATED, { reason: 'insufficient_scope', key: KEY }],
    ['at an undeclared route', 'undeclared_route', AUTHENTICATED, { reason: 'undeclared_route', key: KEY }],
  ])('%s is one event, with what may be logged and nothing else', (_what, errorCode, found, expected) => {
    const { denials, recorded, clock } = setup().recordEvents();
    denials.report(errorCode, found, {}, 'Files.list');
    expect(recorded).toEqual([
      {
        type: 'access_denied',
        at: clock.in(0),
        errorCode,
        address: '203.0.113.7',
        handler: 'Files.list',
        ...expected,
      },
    ]);
    expect(JSON.stringify(recorded)).not.toMatch(/password|private/);
    expect(Object.isFrozen(recorded[0])).toBe(true);
  });

  it('asks for the address once, of the request it was given, and only if somebody listens', () => {
    const clientAddress = jest.fn<ApiKeyOptions['clientAddress']>(() => '203.0.113.7');
    const services = setup(clientAddress);
    const request = {};
    services.denials.report('missing_credentials', { status: 'missing' }, request);
    expect(clientAddress).not.toHaveBeenCalled();
    services.recordEvents().denials.report('missing_credentials', { status: 'missing' }, request);
    expect(clientAddress.mock.calls).toEqual([[request]]);
  });

  it.each<[string, () => unknown]>([
    [
      'throws',
      () => {
        throw new Error('no socket');
      },
    ],
    ['gives a promise that rejects', () => Promise.reject(new Error('no socket'))],
    ['gives an object', () => ({ address: '203.0.113.7' })],
  ])('is told of without an address if clientAddress %s', (_how, clientAddress) => {
    const { denials, recorded } = setup(clientAddress as ApiKeyOptions['clientAddress']).recordEvents();
    denials.report('missing_credentials', { status: 'missing' }, {});
    expect(recorded).toMatchObject([{ type: 'access_denied', address: undefined, handler: undefined }]);
  });

  it('is told of to others where a listener throws', () => {
    const services = setup();
    services.events.stream.subscribe(() => {
      throw new Error('the audit is down');
    });
    services.recordEvents();
    services.denials.report('missing_credentials', { status: 'missing' }, {});
    expect(services.recorded).toHaveLength(1);
    expect(log.textOf('error')).toContain('A listener');
    expect(log.textOf()).not.toContain('the audit is down');
  });
});
