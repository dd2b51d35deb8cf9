import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { readRecord } from '../../src/api-key/api-key-record.js';
import { sampleKey, type RecordFields } from '../support/sample-key.js';

function recordWith(fields: RecordFields): unknown {
  return sampleKey(fields).record;
}

function recordWithout(field: string): unknown {
  const record: Record<string, unknown> = { ...sampleKey().record };
  Reflect.deleteProperty(record, field);
  return record;
}

const NO_DATES: [string, unknown][] = [
  ['an invalid Date', new Date('never')],
  ['an ISO text', '2999-01-01T00:00:00.000Z'],
  ['milliseconds', 32_503_680_000_000],
  ['zero', 0],
  ['an empty text', ''],
  ['false', false],
  ['an object', {}],
  ['NaN', Number.NaN],
  ['something that only looks like a Date', { getTime: () => 0 }],
];

describe('readRecord', () => {
  it('reads a sound record (control)', () => {
    const { record } = sampleKey();
    expect(readRecord(record)).toMatchObject({ id: record.id, tenantId: 'acme', scopes: ['files:read'] });
  });

  it.each(['id', 'locator', 'tenantId', 'digest', 'digestVersion', 'scopes', 'environment'])(
    'refuses a record without %s',
    (field) => {
      expect(readRecord(recordWithout(field))).toBeUndefined();
      expect(readRecord(recordWith({ [field]: null }))).toBeUndefined();
      expect(readRecord(recordWith({ [field]: '' }))).toBeUndefined();
      expect(readRecord(recordWith({ [field]: 1 }))).toBeUndefined();
      expect(readRecord(recordWith({ [field]: {} }))).toBeUndefined();
    },
  );

  it.each([
    ['nothing', undefined],
    ['null', null],
    ['a text', 'record'],
    ['a number', 1],
    ['true', true],
    ['a list', [sampleKey().record]],
    ['an empty object', {}],
    ['a function', () => sampleKey().record],
    ['a map', new Map(Object.entries(sampleKey().record))],
  ])('refuses %s', (_what, value) => {
    expect(readRecord(value)).toBeUndefined();
  });

  it.each<[string, RecordFields]>([
    ['a tenant id that leads out', { tenantId: '../globex' }],
    ['a tenant id with a slash', { tenantId: 'acme/globex' }],
    ['a list of tenants', { tenantId: ['acme'] }],
    ['a digest in capitals', { digest: 'A'.repeat(64) }],
    ['a short digest', { digest: 'a'.repeat(63) }],
    ['a digest as bytes', { digest: Buffer.alloc(32) }],
    ['an empty digest', { digest: '' }],
    ['a digest with a line feed', { digest: `${'a'.repeat(64)}\n` }],
    ['scopes as one text', { scopes: 'files:read' }],
    ['a scope that is none', { scopes: ['files:read', '*'] }],
    ['a scope that is no text', { scopes: ['files:read', null] }],
    ['a scope list with a hole', { scopes: [, 'files:read'] }], // eslint-disable-line no-sparse-arrays -- the case
    ['scopes as a set', { scopes: new Set(['files:read']) }],
    ['addresses as one text', { allowedIps: '203.0.113.7' }],
    ['addresses that are no texts', { allowedIps: [null] }],
    ['an empty address', { allowedIps: [''] }],
    ['addresses as false', { allowedIps: false }],
    ['a path grant that is none', { paths: ['reports/*'] }],
    ['path grants as one text', { paths: 'reports/**' }],
    ['a path grant that leads out', { paths: ['reports/**', '../**'] }],
    ['a grace period of a key that was not replaced', { graceEndsAt: new Date(0) }],
    ['a replaced key without an end', { rotatedTo: 'key_1' }],
    ['metadata as a text', { metadata: '{}' }],
    ['metadata that is no plain data', { metadata: { run: () => undefined } }],
  ])('refuses %s', (_what, fields) => {
    expect(readRecord(recordWith(fields))).toBeUndefined();
  });

  describe.each(['expiresAt', 'notBefore', 'revokedAt'] as const)('%s', (field) => {
    it.each(NO_DATES)('as %s is refused, not read as no limit', (_what, value) => {
      expect(readRecord(recordWith({ [field]: value }))).toBeUndefined();
    });

    it.each([
      ['undefined', undefined],
      ['null, as databases say it', null],
    ])('as %s is absent', (_what, value) => {
      expect(readRecord(recordWith({ [field]: value }))?.[field]).toBeUndefined();
      expect(readRecord(recordWith({ [field]: value }))).toBeDefined();
    });

    it('as a Date is kept', () => {
      expect(readRecord(recordWith({ [field]: new Date(5) }))?.[field]).toEqual(new Date(5));
    });
  });

  it.each(['allowedIps', 'paths', 'graceEndsAt', 'rotatedTo'])('takes null in %s for absent', (field) => {
    expect(readRecord(recordWith({ [field]: null }))).toMatchObject({ allowedIps: undefined });
  });

  it('keeps an empty list of paths, which reaches nothing', () => {
    expect(readRecord(recordWith({ paths: [] }))?.paths).toEqual([]);
  });

  it('keeps nothing that whoever gave it could change later', () => {
    const given = { scopes: ['files:read'], paths: ['a/**'], metadata: { nested: { plan: 'pro' } } };
    const record = readRecord(recordWith(given));
    given.scopes.push('*:*');
    given.paths.push('b/**');
    given.metadata.nested.plan = 'free';
    expect(record).toMatchObject({ scopes: ['files:read'], paths: ['a/**'], metadata: { nested: { plan: 'pro' } } });
    expect(Object.isFrozen(record?.metadata?.nested)).toBe(true);
  });

  it('keeps an empty list of addresses, which allows nobody', () => {
    expect(readRecord(recordWith({ allowedIps: [] }))?.allowedIps).toEqual([]);
  });

  it('takes nothing from a `__proto__` that a parser made a property', () => {
    const { tenantId, ...rest } = sampleKey().record;
    const text = JSON.stringify({ ...rest, createdAt: undefined, expiresAt: undefined });
    const parsed: unknown = JSON.parse(text.replace('{', `{"__proto__":{"tenantId":"${tenantId}"},`));
    expect(readRecord(parsed)).toBeUndefined();
  });

  it('sees a limit that a class gives by a getter', () => {
    class Row {
      get revokedAt(): Date {
        return new Date(1);
      }
    }
    const row: unknown = Object.assign(new Row(), sampleKey().record);
    expect(readRecord(row)?.revokedAt).toEqual(new Date(1));
  });

  it('drops metadata that is no object', () => {
    expect(readRecord(recordWith({ metadata: 'text' }))?.metadata).toBeUndefined();
    expect(readRecord(recordWith({ metadata: { plan: 'pro' } }))?.metadata).toEqual({ plan: 'pro' });
  });

  it('never gives a record without a tenant, whatever the fields', () => {
    const fields = fc.record(
      { tenantId: fc.anything(), scopes: fc.anything(), expiresAt: fc.anything(), allowedIps: fc.anything() },
      { requiredKeys: [] },
    );
    fc.assert(
      fc.property(fields, (hostile) => {
        const record = readRecord(recordWith(hostile));
        if (record === undefined) return;
        expect(record.tenantId).toMatch(/^[A-Za-z0-9._-]{1,128}$/);
        expect(record.scopes.every((scope) => typeof scope === 'string')).toBe(true);
        expect(hostile.expiresAt === undefined || hostile.expiresAt === null || record.expiresAt instanceof Date).toBe(
          true,
        );
      }),
    );
  });
});
