import { strictEqual } from 'node:assert';
import type { ApiKeyRecord } from '../../api-key/api-key-record.js';
import { assertRecord, assertStored, listAll } from './contract-assertions.js';
import type { Cases } from './contract-case.js';
import { ACME, fullRecord, GLOBEX, insertAll, minute, nextVersion, plainRecord } from './contract-records.js';

/** As many as Keyfence writes at once, at most. */
const MANY = 10_000;

/** Uses and digests, which are written in batches. */
export const DEFERRED_WRITE_CASES: Cases = {
  'recordUses: sets when a key was last used, of any tenant, and leaves the rest with the version': async ({
    store,
    other,
  }) => {
    const [never, before, elsewhere, bystander] = [
      plainRecord(1),
      fullRecord(2),
      plainRecord(3, { tenantId: GLOBEX }),
      plainRecord(4),
    ];
    await insertAll(store, [never, before, elsewhere, bystander]);
    await store.recordUses([never, before, elsewhere].map(({ id }, index) => ({ id, at: minute(20 + index) })));
    for (const instance of [store, other]) {
      await assertStored(instance, { ...never, lastUsedAt: minute(20) }, 'never used before');
      await assertStored(instance, { ...before, lastUsedAt: minute(21) }, 'used before');
      await assertStored(instance, { ...elsewhere, lastUsedAt: minute(22) }, 'of another tenant');
      await assertStored(instance, bystander, 'another key');
    }
  },

  'recordUses: moves forward by a millisecond, and never back': async ({ store }) => {
    const record = plainRecord(1);
    await insertAll(store, [record]);
    const at = (offset: number): Date => new Date(minute(20).getTime() + offset);
    for (const [offset, latest] of [
      [0, 0],
      [1, 1],
      [0, 1],
      [-60_000, 1],
      [1, 1],
    ] as const) {
      await store.recordUses([{ id: record.id, at: at(offset) }]);
      await assertStored(store, { ...record, lastUsedAt: at(latest) }, `a use at ${offset} ms`);
    }
  },

  'recordUses: the latest of several uses of one key': async ({ store }) => {
    const [first, second] = [plainRecord(1), plainRecord(2)];
    await insertAll(store, [first, second]);
    await store.recordUses([
      { id: first.id, at: minute(20) },
      { id: second.id, at: minute(29) },
      { id: first.id, at: minute(29) },
      { id: second.id, at: minute(20) },
    ]);
    await assertStored(store, { ...first, lastUsedAt: minute(29) }, 'the latest last');
    await assertStored(store, { ...second, lastUsedAt: minute(29) }, 'the latest first');
  },

  'recordUses: passes over ids that are unknown, and makes nothing of them': async ({ store }) => {
    const record = plainRecord(1);
    await insertAll(store, [record]);
    await store.recordUses(['unknown', record.id, '__proto__', ''].map((id) => ({ id, at: minute(20) })));
    await assertStored(store, { ...record, lastUsedAt: minute(20) }, 'the one that is known');
    strictEqual((await listAll(store, ACME)).length, 1, 'there is one key');
    strictEqual(await store.findById(ACME, 'unknown'), null, 'nothing was made');
    // The id is still free.
    strictEqual(await store.insert(plainRecord(2, { id: 'unknown' })), true);
  },

  'recordUses: leaves a key revoked, replaced or expired': async ({ store }) => {
    const records = [
      plainRecord(1, { revokedAt: minute(9), version: 2 }),
      plainRecord(2, { rotatedTo: 'key_next', graceEndsAt: minute(10), version: 2 }),
      plainRecord(3, { expiresAt: minute(11) }),
    ];
    await insertAll(store, records);
    await store.recordUses(records.map(({ id }) => ({ id, at: minute(20) })));
    for (const record of records) await assertStored(store, { ...record, lastUsedAt: minute(20) }, 'after its use');
  },

  'recordUses: as many at once as Keyfence writes, and none': async ({ store }) => {
    const records = Array.from({ length: 50 }, (_, index) => plainRecord(index * 200));
    await insertAll(store, records);
    const ids = Array.from({ length: MANY }, (_, index) => plainRecord(index).id);
    await store.recordUses(ids.map((id) => ({ id, at: minute(20) })));
    await store.recordUses([]);
    const byId = new Map((await listAll(store, ACME)).map((record) => [record.id, record]));
    strictEqual(byId.size, records.length);
    for (const record of records) {
      assertRecord(byId.get(record.id) ?? null, { ...record, lastUsedAt: minute(20) }, 'list');
    }
  },

  'replaceDigests: writes digest and digestVersion, of any tenant, and leaves the rest with the version': async ({
    store,
    other,
  }) => {
    const [record, elsewhere, bystander] = [
      fullRecord(1),
      plainRecord(2, { tenantId: GLOBEX }),
      plainRecord(3, { digest: fullRecord(1).digest }),
    ];
    await insertAll(store, [record, elsewhere, bystander]);
    await store.replaceDigests([changeOf(record), changeOf(elsewhere)]);
    for (const instance of [store, other]) {
      await assertStored(instance, { ...record, ...NEW_DIGEST }, 'after the change');
      await assertStored(instance, { ...elsewhere, ...NEW_DIGEST }, 'of another tenant');
      await assertStored(instance, bystander, 'another key with the same digest');
    }
  },

  'replaceDigests: leaves a digest that is not the one named': async ({ store }) => {
    const [record, second] = [plainRecord(1), plainRecord(2)];
    await insertAll(store, [record, second]);
    await store.replaceDigests([{ ...changeOf(record), from: 'e'.repeat(64) }, changeOf(second)]);
    await assertStored(store, record, 'another digest than the one named');
    await assertStored(store, { ...second, ...NEW_DIGEST }, 'the one named');
    const late = { ...changeOf(second), digest: 'd'.repeat(64), digestVersion: 'hmac-sha256:late' };
    await store.replaceDigests([late]);
    await assertStored(store, { ...second, ...NEW_DIGEST }, 'replaced already');
  },

  'replaceDigests: passes over ids that are unknown, and leaves a revoked key revoked': async ({ store }) => {
    const record = plainRecord(1);
    await insertAll(store, [record]);
    await store.revoke(ACME, record.id, minute(9));
    await store.replaceDigests([{ ...changeOf(record), id: 'unknown' }, changeOf(record)]);
    await assertStored(store, nextVersion(record, { ...NEW_DIGEST, revokedAt: minute(9) }), 'the revoked key');
    strictEqual(await store.findById(ACME, 'unknown'), null, 'nothing was made');
    strictEqual((await listAll(store, ACME)).length, 1, 'there is one key');
  },

  'replaceDigests: as many at once as Keyfence writes, and none': async ({ store }) => {
    const records = Array.from({ length: 50 }, (_, index) => plainRecord(index * 200));
    await insertAll(store, records);
    await store.replaceDigests(Array.from({ length: MANY }, (_, index) => changeOf(plainRecord(index))));
    await store.replaceDigests([]);
    const byId = new Map((await listAll(store, ACME)).map((record) => [record.id, record]));
    strictEqual(byId.size, records.length);
    for (const record of records) assertRecord(byId.get(record.id) ?? null, { ...record, ...NEW_DIGEST }, 'list');
  },
};

const NEW_DIGEST = { digest: 'abcdef0123456789'.repeat(4), digestVersion: 'hmac-sha256:new' } as const;

function changeOf({ id, digest }: ApiKeyRecord): {
  readonly id: string;
  readonly from: string;
  readonly digest: string;
  readonly digestVersion: string;
} {
  return { id, from: digest, ...NEW_DIGEST };
}
