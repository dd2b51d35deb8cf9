import { describe, expect, it } from '@jest/globals';
import { readKey } from '../../src/api-key/api-key-format.js';
import { readRecord } from '../../src/api-key/api-key-record.js';
import { KeyDigester } from '../../src/api-key/key-digest.js';
import { createTestKey, type TestKeyOptions } from '../../src/testing/test-key.js';

describe('createTestKey', () => {
  it('makes a key in the format of the defaults, and a sound record with its digest', () => {
    const { text, record } = createTestKey();
    expect(readKey(text, { prefix: 'kf', environment: 'live' }, false)).toMatchObject({ locator: record.locator });
    expect(new KeyDigester().matches(text, record.digest, record.digestVersion)).toBe(true);
    expect(readRecord(record)).toMatchObject({ tenantId: 'test-tenant', scopes: ['test:read'] });
    expect(record).toMatchObject({ name: 'test key', lineageId: record.id, version: 1 });
    expect(JSON.stringify(record)).not.toContain(text);
  });

  it('makes another key each time', () => {
    const keys = Array.from({ length: 50 }, () => createTestKey());
    expect(new Set(keys.map(({ text }) => text)).size).toBe(50);
    expect(new Set(keys.flatMap(({ record }) => [record.id, record.locator, record.digest])).size).toBe(150);
  });

  it('takes over what it is given', () => {
    const fields = {
      tenantId: 'acme',
      name: 'nightly',
      scopes: ['files:*'],
      paths: ['in/**'],
      allowedIps: ['203.0.113.7'],
      notBefore: new Date(1),
      expiresAt: new Date(2),
      metadata: { team: 'a' },
      createdAt: new Date(3),
      revokedAt: new Date(4),
      rotatedTo: 'key_next',
      graceEndsAt: new Date(5),
      lastUsedAt: new Date(6),
    };
    expect(createTestKey(fields).record).toMatchObject(fields);
  });

  it('takes over the format and the peppers of an application', () => {
    const peppers = { current: 'b', secrets: { b: 'a pepper that is long enough for this test' } };
    const { text, record } = createTestKey({ prefix: 'acme', environment: 'ci', peppers });
    expect(readKey(text, { prefix: 'acme', environment: 'ci' }, false)).toMatchObject({ locator: record.locator });
    expect(record).toMatchObject({ environment: 'ci', digestVersion: 'hmac-sha256:b' });
    expect(new KeyDigester(peppers).matches(text, record.digest, record.digestVersion)).toBe(true);
    expect(new KeyDigester().matches(text, record.digest, 'sha256')).toBe(false);
  });

  it.each<[string, TestKeyOptions, string]>([
    ['a tenant id that leads out', { tenantId: '../globex' }, 'tenantId'],
    ['a scope that is none', { scopes: ['files'] }, 'scopes'],
    ['a path that leads out', { paths: ['../**'] }, 'paths'],
    ['an address that is none', { allowedIps: ['localhost'] }, 'allowedIps'],
    ['a date that is none', { expiresAt: new Date('never') }, 'expiresAt'],
  ])('refuses %s', (_what, options, field) => {
    expect(() => createTestKey(options)).toThrow(
      expect.objectContaining({ name: 'KeyfenceConfigurationError', message: expect.stringContaining(field) }),
    );
  });
});
