import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { Logger } from '@nestjs/common';
import type { ApiKeyOptions } from '../../src/api-key/api-key-options.js';
import { InMemoryApiKeyStore } from '../../src/api-key/in-memory-api-key.store.js';
import { InvalidApiKeyException, MissingCredentialsException } from '../../src/errors/authentication.exceptions.js';
import { InsufficientScopeException, UndeclaredRouteException } from '../../src/errors/authorization.exceptions.js';
import { KeyStoreUnavailableException } from '../../src/errors/key.exceptions.js';
import type { KeyfenceException } from '../../src/errors/refusal.exception.js';
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
  it.each<[string, KeyfenceException, Authentication, object]>([
    ['without a key', new MissingCredentialsException(), { status: 'missing' }, { reason: 'missing_credentials' }],
    [
      'of a key that nobody knows',
      new InvalidApiKeyException('unknown_key'),
      { status: 'invalid', reason: 'unknown_key' },
      { reason: 'unknown_key', errorCode: 'invalid_api_key' },
    ],
    [
      'of a key that was found',
      new InvalidApiKeyException('revoked'),
      { status: 'invalid', reason: 'revoked', key: KEY } as unknown as Authentication,
      { reason: 'revoked', errorCode: 'invalid_api_key', key: KEY },
    ],
    [
      'while the store is down',
      new KeyStoreUnavailableException(CAUSE),
      { status: 'unavailable', cause: CAUSE },
      { reason: 'key_store_unavailable' },
    ],
    [
      'of a principal',
      new InsufficientScopeException(['admin:read'] as never),
      AUTHENTICATED,
      { reason: 'insufficient_scope', key: KEY },
    ],
    ['at an undeclared route', new UndeclaredRouteException(), AUTHENTICATED, { reason: 'undeclared_route', key: KEY }],
  ])('%s is one event, with what may be logged and nothing else', (_what, refusal, found, expected) => {
    const { denials, recorded, clock } = setup().recordEvents();
    denials.report(refusal, found, {}, 'Files.list');
    expect(recorded).toEqual([
      {
        type: 'access_denied',
        at: clock.in(0),
        errorCode: refusal.errorCode,
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
    services.denials.report(new MissingCredentialsException(), { status: 'missing' }, request);
    expect(clientAddress).not.toHaveBeenCalled();
    services.recordEvents().denials.report(new MissingCredentialsException(), { status: 'missing' }, request);
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
    denials.report(new MissingCredentialsException(), { status: 'missing' }, {});
    expect(recorded).toMatchObject([{ type: 'access_denied', address: undefined, handler: undefined }]);
  });

  it('is told of to others where a listener throws', () => {
    const services = setup();
    services.events.stream.subscribe(() => {
      throw new Error('the audit is down');
    });
    services.recordEvents();
    services.denials.report(new MissingCredentialsException(), { status: 'missing' }, {});
    expect(services.recorded).toHaveLength(1);
    expect(log.textOf('error')).toContain('A listener');
    expect(log.textOf()).not.toContain('the audit is down');
  });
});
