import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { readRecord } from '../../../src/api-key/api-key-record.js';
import { SQLITE_MIGRATIONS, type SqliteApiKeyStore } from '../../../src/stores/sqlite/index.js';
import { sampleKey } from '../../support/sample-key.js';
import type { SqliteDatabase } from '../../support/sqlite.js';
import { DRIVERS, sqliteFilesForThisFile } from './sqlite-here.js';

/** The same tables with no rule that would keep such a value out, as a file may have them that somebody has made. */
const LAX = SQLITE_MIGRATIONS.map(({ sql }) => sql.replaceAll('STRICT', '').replaceAll(/(?<!IS) NOT NULL/g, '')).join(
  '\n',
);

/** What somebody could write into a column, as SQL. */
const MALFORMED: readonly (readonly [column: string, value: string])[] = [
  ...['NULL', "''", "'null'", "'{}'", "'files:read'", "'[1]'", "'[null]'", '\'[""]\'', '7', "x'00'"].map(
    (value) => ['scopes', value] as const,
  ),
  ...["''", "'null'", "'{}'", "'docs/**'", "'[1]'", "'[null]'", '\'["../x"]\'', '\'["a/**"\'', '7', "x'00'"].map(
    (value) => ['paths', value] as const,
  ),
  ...["''", "'null'", "'{}'", "'10.0.0.0/8'", "'[1]'", "'[null]'", '0', "x'00'"].map(
    (value) => ['allowed_ips', value] as const,
  ),
  ...['not_before', 'expires_at', 'revoked_at', 'grace_ends_at'].flatMap((column) =>
    ["''", "'2026-01-01'", '8640000000000001', '9223372036854775807', '-9223372036854775808', "x'00'"].map(
      (value) => [column, value] as const,
    ),
  ),
  // One without the other.
  ['grace_ends_at', '1780315200000'],
  ...["''", "'null'", "'[]'", "'text'", '\'{"a":\'', '7', "x'00'"].map((value) => ['metadata', value] as const),
  ...["''", "'../acme'", 'NULL'].map((value) => ['tenant_id', value] as const),
  ['digest_version', "''"],
  ['environment', "''"],
];

/** What verification does not read. */
const UNREAD: typeof MALFORMED = [
  ...['created_at', 'last_used_at'].flatMap((column) =>
    ['8640000000000001', '9223372036854775807', '-9223372036854775808'].map((value) => [column, value] as const),
  ),
  ...['NULL', "''", "'two'", '1.5', '9223372036854775807'].map((value) => ['version', value] as const),
  ['name', 'NULL'],
  ['name', "x'00'"],
  ['lineage_id', 'NULL'],
];

describe.each(DRIVERS)('a row that is malformed, with %s', (driver, openByHand) => {
  const files = sqliteFilesForThisFile();
  let store: SqliteApiKeyStore;
  let hand: SqliteDatabase;
  let tenants = 0;

  beforeAll(async () => {
    const path = files.fresh();
    hand = openByHand(path);
    hand.exec(LAX);
    store = await files.open(path, { driver });
  });

  afterAll(() => {
    hand.close();
  });

  /** A key that was sound, with something else in one column. */
  async function damaged(column: string, value: string) {
    tenants += 1;
    const { record } = sampleKey({ tenantId: `tenant-${tenants}` });
    await store.insert(record);
    expect(readRecord(await store.findByLocator(record.locator))).toBeDefined();
    const { changes } = hand.prepare(`UPDATE keyfence_api_keys SET ${column} = ${value} WHERE id = ?`).run(record.id);
    expect(Number(changes)).toBe(1);
    return record;
  }

  it.each(MALFORMED)('denies its key: %s = %s', async (column, value) => {
    const record = await damaged(column, value);
    const found = await store.findByLocator(record.locator);
    expect(found).not.toBeNull();
    expect(readRecord(found)).toBeUndefined();
  });

  it.each([...MALFORMED.filter(([column]) => column !== 'tenant_id'), ...UNREAD])(
    'is never given as a record, and the error names the column: %s = %s',
    async (column, value) => {
      const { tenantId, id } = await damaged(column, value);
      const message = `the column ${column} of the key '${id}' is malformed`;
      await expect(store.findById(tenantId, id)).rejects.toThrow(message);
      await expect(store.list(tenantId, { limit: 10, includeRevoked: true })).rejects.toThrow(message);
    },
  );

  it.each([
    ['created_at', 'NULL'],
    ['created_at', "'now'"],
    ['last_used_at', "'now'"],
  ])('is left out of a list that it has no place in: %s = %s', async (column, value) => {
    const { tenantId, id } = await damaged(column, value);
    await expect(store.findById(tenantId, id)).rejects.toThrow(`the column ${column}`);
    expect(await store.list(tenantId, { limit: 10, includeRevoked: true })).toMatchObject({ items: [] });
  });

  it('is revoked nevertheless', async () => {
    const { tenantId, id, locator } = await damaged('scopes', "'{}'");
    await expect(store.revoke(tenantId, id, new Date(5))).rejects.toThrow('column scopes');
    expect((await store.findByLocator(locator))?.revokedAt).toEqual(new Date(5));
  });
});

describe.each(DRIVERS)('a record that is malformed, with %s', (driver) => {
  const files = sqliteFilesForThisFile();

  it.each([
    ['expiresAt', 'expires_at', new Date(NaN)],
    ['expiresAt', 'expires_at', '2026-01-01'],
    ['paths', 'paths', 'docs/**'],
    ['paths', 'paths', ['../x']],
    ['allowedIps', 'allowed_ips', [undefined]],
    ['scopes', 'scopes', undefined],
    ['scopes', 'scopes', [7]],
    ['metadata', 'metadata', []],
    ['version', 'version', NaN],
  ])('is never written: %s', async (field, column, value) => {
    const store = await files.open(files.fresh(), { driver });
    const { record } = sampleKey();
    await store.insert(record);
    const message = `what is to be written to the column ${column} is not sound`;
    await expect(store.insert(sampleKey({ [field]: value }).record)).rejects.toThrow(message);
    const changed = { ...record, version: 2, [field]: value };
    await expect(store.update(changed)).rejects.toThrow(message);
    const { record: successor } = sampleKey({ [field]: value });
    const old = { ...record, rotatedTo: successor.id, graceEndsAt: new Date(), version: 2 };
    await expect(store.rotate(old, successor)).rejects.toThrow(message);
    const { items } = await store.list(record.tenantId, { limit: 10, includeRevoked: true });
    expect(items).toMatchObject([{ id: record.id, version: 1 }]);
    expect(items[0]?.rotatedTo).toBeUndefined();
    // The transaction is over: another can begin.
    const { record: free } = sampleKey();
    expect(await store.rotate({ ...old, rotatedTo: free.id }, free)).toBe(true);
  });

  it('is not one whose name has a NUL, though libsql cuts the name there', async () => {
    const store = await files.open(files.fresh(), { driver });
    const { record } = sampleKey({ name: '\0name', metadata: { text: 'a\0b' } });
    await store.insert(record);
    const stored = await store.findById(record.tenantId, record.id);
    expect(['\0name', '']).toContain(stored?.name);
    expect(stored?.metadata).toEqual({ text: 'a\0b' });
  });

  it('is not made by a date that is none: nothing is written or compared', async () => {
    const store = await files.open(files.fresh(), { driver });
    const { record } = sampleKey({ revokedAt: undefined, expiresAt: new Date(1) });
    await store.insert(record);
    const none = new Date(NaN);
    await expect(store.revoke(record.tenantId, record.id, none)).rejects.toThrow('no date');
    await expect(store.recordUses([{ id: record.id, at: none }])).rejects.toThrow('no date');
    await expect(store.prune(none, 10)).rejects.toThrow('no date');
    const query = { limit: 10, includeRevoked: true };
    await expect(store.list(record.tenantId, { ...query, createdBefore: none })).rejects.toThrow('no date');
    await expect(store.list(record.tenantId, { ...query, unusedSince: none })).rejects.toThrow('no date');
    const stored = await store.findById(record.tenantId, record.id);
    expect(stored).toMatchObject({ id: record.id, version: 1 });
    expect(stored?.revokedAt).toBeUndefined();
    expect(stored?.lastUsedAt).toBeUndefined();
  });
});
