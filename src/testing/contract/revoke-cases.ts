import { strictEqual } from 'node:assert';
import { assertRecord, assertStored } from './contract-assertions.js';
import type { Cases } from './contract-case.js';
import { ACME, fullRecord, GLOBEX, insertAll, minute, nextVersion, plainRecord } from './contract-records.js';

/** Ending keys. */
export const REVOKE_CASES: Cases = {
  'revoke: sets the time, counts the version up, leaves the rest, and gives the record as it is then': async ({
    store,
    other,
  }) => {
    const [record, bystander] = [fullRecord(1), plainRecord(2)];
    await insertAll(store, [record, bystander]);
    const revoked = nextVersion(record, { revokedAt: minute(9) });
    assertRecord(await store.revoke(ACME, record.id, minute(9)), revoked, "revoke's answer");
    await assertStored(store, revoked, 'after revoke');
    await assertStored(other, revoked, 'after revoke, through another instance');
    await assertStored(store, bystander, 'another key');
  },

  'revoke: a second time changes nothing and gives the first time': async ({ store }) => {
    const record = fullRecord(1);
    await insertAll(store, [record]);
    const revoked = nextVersion(record, { revokedAt: minute(9) });
    await store.revoke(ACME, record.id, minute(9));
    for (const again of [minute(10), minute(8), minute(9)]) {
      assertRecord(await store.revoke(ACME, record.id, again), revoked, 'the second answer');
    }
    await assertStored(store, revoked, 'after the second time');
  },

  'revoke: a key that was replaced is revoked too, and its successor is not': async ({ store }) => {
    const replaced = plainRecord(1, { rotatedTo: plainRecord(2).id, graceEndsAt: minute(50), version: 2 });
    const successor = plainRecord(2, { lineageId: replaced.lineageId });
    await insertAll(store, [replaced, successor]);
    await store.revoke(ACME, replaced.id, minute(9));
    await assertStored(store, nextVersion(replaced, { revokedAt: minute(9) }), 'the one that was replaced');
    await assertStored(store, successor, 'its successor');
  },

  "revoke: null for an id that is unknown or another tenant's, and nothing is changed": async ({ store }) => {
    const record = fullRecord(1);
    await insertAll(store, [record]);
    strictEqual(await store.revoke(ACME, 'unknown', minute(9)), null, 'unknown');
    strictEqual(await store.revoke(ACME, record.locator, minute(9)), null, 'a locator');
    strictEqual(await store.revoke(GLOBEX, record.id, minute(9)), null, "another tenant's");
    await assertStored(store, record, 'after the refusals');
    strictEqual(await store.findById(ACME, 'unknown'), null, 'nothing was made');
  },
};
