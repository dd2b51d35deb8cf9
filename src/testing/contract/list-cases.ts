import { deepStrictEqual, strictEqual } from 'node:assert';
import type { ApiKeyRecord } from '../../api-key/api-key-record.js';
import type { KeyPage, ListKeysQuery, ManagedApiKeyStore } from '../../api-key/api-key.store.js';
import { assertRecord, idsOf, pagesOf } from './contract-assertions.js';
import type { Cases } from './contract-case.js';
import { ACME, fullRecord, GLOBEX, insertAll, minute, plainRecord } from './contract-records.js';

const ALL: ListKeysQuery = { limit: 200, includeRevoked: true };

/** Listing a tenant's keys. */
export const LIST_CASES: Cases = {
  'list: an empty page without a next one for a tenant without keys': async ({ store }) => {
    await insertAll(store, [plainRecord(1, { tenantId: GLOBEX })]);
    await assertPage(store, ALL, []);
  },

  'list: whole records, oldest first, and by id where two are as old': async ({ store }) => {
    const third = plainRecord(0xa1, { createdAt: minute(3) });
    const first = fullRecord(0xa2, { createdAt: minute(1) });
    const middle = plainRecord(0xa3, { createdAt: minute(2) });
    const second = plainRecord(0xa4, { createdAt: minute(1) });
    const later = plainRecord(0xa5, { createdAt: new Date(minute(2).getTime() + 1) });
    const expected = [first, second, middle, later, third];
    // One after the other, the last first, so that the order of insertion is not the answer.
    for (const record of [third, later, middle, second, first]) await insertAll(store, [record]);
    const { items } = await assertPage(store, ALL, expected);
    for (const [index, record] of expected.entries()) assertRecord(items[index] ?? null, record, 'list');
  },

  "list: only the tenant's keys": async ({ store }) => {
    const tenants = [ACME, GLOBEX, ACME, GLOBEX].map((tenantId, index) => plainRecord(index, { tenantId }));
    await insertAll(store, tenants);
    for (const tenantId of [ACME, GLOBEX]) {
      const { items } = await store.list(tenantId, ALL);
      deepStrictEqual(idsOf(items), idsOf(tenants.filter((record) => record.tenantId === tenantId)));
    }
  },

  'list: pages of the limit, and no next after the last one, even if it is full': async ({ store }) => {
    const records = numbered(6);
    await insertAll(store, records);
    for (const [limit, sizes] of [
      [1, [1, 1, 1, 1, 1, 1]],
      [2, [2, 2, 2]],
      [4, [4, 2]],
      [6, [6]],
      [200, [6]],
    ] as const) {
      const pages = await pagesOf(store, ACME, { ...ALL, limit });
      deepStrictEqual(
        pages.map(({ length }) => length),
        sizes,
        `limit ${limit}`,
      );
      deepStrictEqual(idsOf(pages.flat()), idsOf(records), `limit ${limit}`);
    }
  },

  'list: pages neither repeat nor skip keys that are as old as each other': async ({ store }) => {
    const records = numbered(5).map((record) => ({ ...record, createdAt: minute(0) }));
    await insertAll(store, records);
    deepStrictEqual(idsOf((await pagesOf(store, ACME, { ...ALL, limit: 2 })).flat()), idsOf(records));
  },

  'list: a cursor keeps its place while keys are added and revoked': async ({ store }) => {
    const records = numbered(5);
    await insertAll(store, records);
    const query = { limit: 2, includeRevoked: false };
    const first = await assertPage(store, query, records.slice(0, 2));
    // All of the page, with the key that it ended with, and one that is still to come.
    for (const index of [0, 1, 3]) await store.revoke(ACME, idAt(records, index), minute(50));
    const older = plainRecord(0xb1, { createdAt: minute(-1) });
    const newer = plainRecord(0xb2, { createdAt: minute(60) });
    await insertAll(store, [older, newer]);
    const rest = await pagesOf(store, ACME, { ...query, cursor: first.next });
    deepStrictEqual(idsOf(rest.flat()), [idAt(records, 2), idAt(records, 4), newer.id]);
  },

  'list: leaves revoked keys out unless they are asked for, and fills its pages nevertheless': async ({ store }) => {
    const records = numbered(8).map((record, index) =>
      index < 4 ? { ...record, revokedAt: minute(50), version: 2 } : record,
    );
    await insertAll(store, records);
    const { next } = await assertPage(store, { limit: 2, includeRevoked: false }, records.slice(4, 6));
    await assertPage(store, { limit: 2, includeRevoked: false, cursor: next }, records.slice(6));
    await assertPage(store, { limit: 3, includeRevoked: true }, records.slice(0, 3));
  },

  'list: keys that were replaced or have expired are not revoked': async ({ store }) => {
    const records = [
      plainRecord(1, { expiresAt: minute(2) }),
      plainRecord(2, { rotatedTo: 'key_next', graceEndsAt: minute(3) }),
      plainRecord(3, { notBefore: new Date(Date.UTC(2999, 0, 1)) }),
    ];
    await insertAll(store, records);
    await assertPage(store, { limit: 10, includeRevoked: false }, records);
  },

  'list: createdBefore takes keys made before it, to the millisecond': async ({ store }) => {
    const records = [
      plainRecord(1, { createdAt: new Date(minute(5).getTime() - 1) }),
      plainRecord(2, { createdAt: minute(5) }),
      plainRecord(3, { createdAt: new Date(minute(5).getTime() + 1) }),
    ];
    await insertAll(store, records);
    await assertPage(store, { ...ALL, createdBefore: minute(5) }, records.slice(0, 1));
    await assertPage(store, { ...ALL, createdBefore: minute(6) }, records);
    await assertPage(store, { ...ALL, createdBefore: minute(4) }, []);
  },

  'list: unusedSince takes keys last used before it, and those never used and made before it': async ({ store }) => {
    const at = (offset: number): Date => new Date(minute(5).getTime() + offset);
    const used = plainRecord(1, { createdAt: minute(0), lastUsedAt: at(-1) });
    const usedAtIt = plainRecord(2, { createdAt: minute(1), lastUsedAt: at(0) });
    const neverUsed = plainRecord(3, { createdAt: at(-1) });
    const neverUsedMadeAtIt = plainRecord(4, { createdAt: at(0) });
    const usedSince = plainRecord(5, { createdAt: minute(2) });
    await insertAll(store, [used, usedAtIt, neverUsed, neverUsedMadeAtIt, usedSince]);
    await store.recordUses([{ id: usedSince.id, at: at(1) }]);
    await assertPage(store, { ...ALL, unusedSince: at(0) }, [used, neverUsed]);
  },

  'list: conditions hold together, on every page': async ({ store }) => {
    const records = numbered(12).map((record, index) => ({
      ...record,
      revokedAt: index % 2 === 0 ? minute(50) : undefined,
      lastUsedAt: index % 3 === 0 ? minute(60) : undefined,
    }));
    await insertAll(store, records);
    const query = { limit: 2, includeRevoked: false, createdBefore: minute(9), unusedSince: minute(55) };
    deepStrictEqual((await pagesOf(store, ACME, query)).map(idsOf), [
      [idAt(records, 1), idAt(records, 5)],
      [idAt(records, 7)],
    ]);
  },

  'list: a cursor that is none does not throw and opens nothing of another tenant': async ({ store }) => {
    const own = numbered(3);
    const others = numbered(4).map((record, index) =>
      plainRecord(0xc0 + index, { ...record, tenantId: GLOBEX, ...keyOf(0xc0 + index) }),
    );
    await insertAll(store, [...own, ...others]);
    const { next } = await store.list(GLOBEX, { ...ALL, limit: 1 });
    strictEqual(typeof next, 'string', 'there is a next page');
    for (const cursor of [
      '',
      'unknown',
      '%',
      "' OR 1=1 --",
      '{"$gt":""}',
      '-1',
      'bnVsbA',
      '\u{1f511}',
      next,
      others[2]?.id,
    ]) {
      const { items } = await store.list(ACME, { ...ALL, cursor });
      const foreign = items.filter(({ id }) => !idsOf(own).includes(id));
      deepStrictEqual(idsOf(foreign), [], `cursor ${String(cursor)}`);
    }
  },
};

function numbered(count: number): ApiKeyRecord[] {
  return Array.from({ length: count }, (_, index) => plainRecord(index));
}

function keyOf(number: number): Pick<ApiKeyRecord, 'id' | 'locator' | 'digest'> {
  const { id, locator, digest } = plainRecord(number);
  return { id, locator, digest };
}

function idAt(records: readonly ApiKeyRecord[], index: number): string {
  const record = records[index];
  if (record === undefined) throw new RangeError(`There is no record ${index}.`);
  return record.id;
}

/** One page of acme's keys: these, and a next page only if there is more. */
async function assertPage(
  store: ManagedApiKeyStore,
  query: ListKeysQuery,
  expected: readonly ApiKeyRecord[],
): Promise<KeyPage> {
  const page = await store.list(ACME, query);
  deepStrictEqual(idsOf(page.items), idsOf(expected));
  if (page.items.length < query.limit) strictEqual(page.next, undefined, 'no next after the last page');
  return page;
}
