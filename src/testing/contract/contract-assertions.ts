import { AssertionError, deepStrictEqual, strictEqual } from 'node:assert';
import { types } from 'node:util';
import type { ApiKeyRecord, StoredApiKey } from '../../api-key/api-key-record.js';
import type { ListKeysQuery, ManagedApiKeyStore } from '../../api-key/api-key.store.js';
import type { TenantId } from '../../principal/tenant-id.js';

/** What verification reads; `findByLocator` may leave the other fields out. */
const STORED_FIELDS = [
  'id',
  'locator',
  'tenantId',
  'digest',
  'digestVersion',
  'scopes',
  'paths',
  'environment',
  'allowedIps',
  'notBefore',
  'expiresAt',
  'revokedAt',
  'rotatedTo',
  'graceEndsAt',
  'metadata',
] as const satisfies readonly (keyof StoredApiKey)[];

const RECORD_FIELDS = [
  ...STORED_FIELDS,
  'name',
  'createdAt',
  'lineageId',
  'lastUsedAt',
  'version',
] as const satisfies readonly (keyof ApiKeyRecord)[];

/** Fails unless both finders and the tenant's list give this very record. */
export async function assertStored(store: ManagedApiKeyStore, expected: ApiKeyRecord, why: string): Promise<void> {
  assertRecord(await store.findById(expected.tenantId, expected.id), expected, `findById: ${why}`);
  assertFound(await store.findByLocator(expected.locator), expected, `findByLocator: ${why}`);
  const listed = await listAll(store, expected.tenantId);
  assertRecord(listed.find(({ id }) => id === expected.id) ?? null, expected, `list: ${why}`);
}

/** Fails if any finder or the tenant's list gives something for this record. */
export async function assertAbsent(store: ManagedApiKeyStore, record: ApiKeyRecord, why: string): Promise<void> {
  const { tenantId, id, locator } = record;
  strictEqual(await store.findById(tenantId, id), null, `findById: ${why}`);
  strictEqual(await store.findByLocator(locator), null, `findByLocator: ${why}`);
  const listed = await listAll(store, tenantId);
  deepStrictEqual(
    listed.filter((item) => item.id === id || item.locator === locator),
    [],
    `list: ${why}`,
  );
}

/** Fails unless the store answered with this record. A limit that is not set must be absent, and not `null`. */
export function assertRecord(actual: ApiKeyRecord | null, expected: ApiKeyRecord, why: string): void {
  if (actual === null) throw missing(expected.id, why);
  deepStrictEqual(plain(actual, RECORD_FIELDS), plain(expected, RECORD_FIELDS), why);
}

/** The same for what verification reads, where `null` is as good as absent. */
export function assertFound(actual: StoredApiKey | null, expected: ApiKeyRecord, why: string): void {
  if (actual === null) throw missing(expected.id, why);
  const set = Object.fromEntries(STORED_FIELDS.map((field) => [field, actual[field] ?? undefined]));
  deepStrictEqual(plain(set as Partial<StoredApiKey>, STORED_FIELDS), plain(expected, STORED_FIELDS), why);
}

/** All of a tenant's keys, by pages of the largest size. */
export function listAll(store: ManagedApiKeyStore, tenantId: TenantId): Promise<readonly ApiKeyRecord[]> {
  return pagesOf(store, tenantId, { limit: 200, includeRevoked: true }).then((pages) => pages.flat());
}

/** The pages of a list, until there is no next one. */
export async function pagesOf(
  store: ManagedApiKeyStore,
  tenantId: TenantId,
  query: ListKeysQuery,
): Promise<readonly (readonly ApiKeyRecord[])[]> {
  const pages: (readonly ApiKeyRecord[])[] = [];
  let cursor = query.cursor;
  do {
    const { items, next } = await store.list(tenantId, { ...query, cursor });
    pages.push(items);
    if (pages.length > 1_000) throw new AssertionError({ message: 'list: the pages do not end' });
    cursor = next;
  } while (cursor !== undefined);
  return pages;
}

export function idsOf(records: readonly ApiKeyRecord[]): string[] {
  // Not its own `map`, for the same reason as below.
  return Array.from(records, ({ id }) => id);
}

/** How many of the answers are `true`; fails for what is neither `true` nor `false`. */
export function countTrue(answers: readonly boolean[]): number {
  for (const answer of answers) strictEqual(typeof answer, 'boolean', 'the answer is a boolean');
  return answers.filter(Boolean).length;
}

function missing(id: string, why: string): AssertionError {
  return new AssertionError({ message: `${why}: the store has no record ${id}` });
}

/** As data that compares by content: absent fields left out, dates told from texts, whatever classes the store makes. */
function plain<K extends string>(record: Readonly<Partial<Record<K, unknown>>>, fields: readonly K[]): object {
  const set = fields.filter((field) => record[field] !== undefined);
  return Object.fromEntries(set.map((field) => [field, plainValue(record[field])]));
}

function plainValue(value: unknown): unknown {
  if (types.isDate(value)) return `Date ${Number.isNaN(value.getTime()) ? 'invalid' : value.toISOString()}`;
  // Not its own `map`, which makes an array of another realm where a runner has one for each test file.
  if (Array.isArray(value)) return Array.from<unknown, unknown>(value, plainValue);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([name, inner]) => [name, plainValue(inner)]));
}
