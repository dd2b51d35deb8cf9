import { strictEqual } from 'node:assert';
import type { ApiKeyRecord } from '../../api-key/api-key-record.js';
import type { ManagedApiKeyStore } from '../../api-key/api-key.store.js';
import type { PathGrant } from '../../confined-fs/path-grant.js';
import type { Scope } from '../../principal/scope.js';
import type { TenantId } from '../../principal/tenant-id.js';

export const ACME = 'acme' as TenantId;
export const GLOBEX = 'globex' as TenantId;

/** A time, by its minutes after an odd one: a store that cuts milliseconds off is noticed. */
export function minute(count: number): Date {
  return new Date(Date.UTC(2026, 5, 1, 12, 0, 0, 123) + count * 60_000);
}

/** A record with no more than it must have. The number makes its id, its locator and its digest. */
export function plainRecord(number: number, fields: Partial<ApiKeyRecord> = {}): ApiKeyRecord {
  const hex = number.toString(16).padStart(16, '0');
  return {
    id: `key_${hex}`,
    locator: hex,
    tenantId: ACME,
    name: `key ${number}`,
    digest: hex.repeat(4),
    digestVersion: 'sha256',
    scopes: scopesOf('files:read'),
    environment: 'live',
    createdAt: minute(number),
    lineageId: `key_${hex}`,
    version: 1,
    ...fields,
  };
}

/** A record that has every field, each with what is easily lost. */
export function fullRecord(number: number, fields: Partial<ApiKeyRecord> = {}): ApiKeyRecord {
  return plainRecord(number, {
    name: `\u00dcbung \u{1f511} \u6771\u4eac e\u0301 'q' "d" \\ % _ ${number}`,
    digestVersion: 'hmac-sha256:2026-06',
    scopes: scopesOf('reports:*', 'files:read', 'files:write'),
    paths: ['b/**', 'a/ sp\u00e4t \u{1f4c1}.csv'] as PathGrant[],
    environment: 'test',
    allowedIps: ['2001:db8::/32', '203.0.113.7'],
    notBefore: minute(number + 1),
    expiresAt: new Date(Date.UTC(2999, 11, 31, 23, 59, 59, 999)),
    lineageId: 'key_of_its_first',
    lastUsedAt: minute(number + 2),
    metadata: {
      text: '\u00e4 \u{1f511} \'q\' "d" \\',
      nested: { list: [1, 'two', null, true, { deep: [] }], none: {} },
      numbers: [0, -1, 0.1, 1e21, Number.MAX_SAFE_INTEGER],
      nothing: null,
      'a.b $c': false,
    },
    version: 7,
    ...fields,
  });
}

export function scopesOf(...scopes: readonly string[]): readonly Scope[] {
  return scopes as Scope[];
}

/** Fails the case if a record that it needs is refused. */
export async function insertAll(store: ManagedApiKeyStore, records: readonly ApiKeyRecord[]): Promise<void> {
  const inserted = await Promise.all(records.map((record) => store.insert(record)));
  strictEqual(inserted.includes(false), false, 'the store takes a new record whose id and locator are free');
}

/** The record as the next version of it, with some fields changed. */
export function nextVersion(record: ApiKeyRecord, fields: Partial<ApiKeyRecord> = {}): ApiKeyRecord {
  return { ...record, version: record.version + 1, ...fields };
}

/** What `rotate` takes to replace a record by another. */
export function replacedBy(record: ApiKeyRecord, successor: ApiKeyRecord, graceEndsAt = minute(100)): ApiKeyRecord {
  return nextVersion(record, { rotatedTo: successor.id, graceEndsAt });
}
