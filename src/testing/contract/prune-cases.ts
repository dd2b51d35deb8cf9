import { deepStrictEqual, strictEqual } from 'node:assert';
import type { ApiKeyRecord } from '../../api-key/api-key-record.js';
import { assertAbsent, assertStored, idsOf, listAll } from './contract-assertions.js';
import type { Cases } from './contract-case.js';
import {
  ACME,
  fullRecord,
  GLOBEX,
  insertAll,
  minute,
  nextVersion,
  plainRecord,
  replacedBy,
} from './contract-records.js';

const TIME = minute(50);
const BEFORE = new Date(TIME.getTime() - 1);
const AFTER = new Date(TIME.getTime() + 1);

/** Removing keys that are long dead. */
export const PRUNE_CASES: Cases = {
  'prune: removes what was revoked, had expired or had its grace over before the time, of any tenant': async ({
    store,
    other,
  }) => {
    const dead = [
      fullRecord(1, { revokedAt: BEFORE }),
      fullRecord(2, { expiresAt: BEFORE }),
      fullRecord(3, { rotatedTo: 'key_next', graceEndsAt: BEFORE }),
      fullRecord(4, { tenantId: GLOBEX, revokedAt: BEFORE }),
      // Dead by one of them, whatever the others say.
      fullRecord(5, { revokedAt: BEFORE, expiresAt: AFTER, rotatedTo: 'key_next', graceEndsAt: AFTER }),
      fullRecord(6, { revokedAt: AFTER, expiresAt: BEFORE }),
      fullRecord(7, { revokedAt: AFTER, rotatedTo: 'key_next', graceEndsAt: BEFORE }),
    ];
    await insertAll(store, dead);
    strictEqual(await store.prune(TIME, 1_000), dead.length);
    for (const record of dead) {
      await assertAbsent(store, record, 'after prune');
      await assertAbsent(other, record, 'after prune, through another instance');
    }
    strictEqual(await store.prune(TIME, 1_000), 0, 'a second time');
  },

  'prune: leaves what lives, and what died at the time or later': async ({ store }) => {
    const rest = [
      plainRecord(1),
      fullRecord(2),
      plainRecord(3, { revokedAt: TIME }),
      plainRecord(4, { expiresAt: TIME }),
      plainRecord(5, { rotatedTo: 'key_next', graceEndsAt: TIME }),
      plainRecord(6, { revokedAt: AFTER }),
      plainRecord(7, { expiresAt: AFTER }),
      plainRecord(8, { rotatedTo: 'key_next', graceEndsAt: AFTER }),
      // Long unused or not yet valid is not dead.
      plainRecord(9, { createdAt: new Date(1), lastUsedAt: new Date(2), notBefore: minute(1) }),
    ];
    await insertAll(store, [...rest, plainRecord(10, { expiresAt: BEFORE })]);
    strictEqual(await store.prune(TIME, 1_000), 1);
    for (const record of rest) await assertStored(store, record, 'after prune');
    strictEqual((await listAll(store, ACME)).length, rest.length);
  },

  'prune: removes at most as many as the limit says, and says how many': async ({ store }) => {
    const dead = Array.from({ length: 7 }, (_, index) => plainRecord(index, { revokedAt: minute(index) }));
    const alive = plainRecord(20);
    await insertAll(store, [...dead, alive]);
    for (const [removed, left] of [
      [3, 4],
      [3, 1],
      [1, 0],
      [0, 0],
    ] as const) {
      strictEqual(await store.prune(TIME, 3), removed);
      strictEqual((await listAll(store, ACME)).length, left + 1, 'what is left');
    }
    await assertStored(store, alive, 'the one that lives');
  },

  'prune: ids and locators of removed keys are free again': async ({ store }) => {
    await insertAll(store, [fullRecord(1, { revokedAt: BEFORE })]);
    strictEqual(await store.prune(TIME, 10), 1);
    const again = plainRecord(1);
    strictEqual(await store.insert(again), true);
    await assertStored(store, again, 'with nothing left of the one before');
  },

  'prune: goes by what a key is now: after revoke, update and rotate': async ({ store }) => {
    const soon = minute(30);
    const [revoked, shortened, replaced, prolonged, unlimited] = [
      plainRecord(1),
      plainRecord(2, { expiresAt: AFTER }),
      plainRecord(3, { expiresAt: AFTER }),
      plainRecord(4, { expiresAt: soon }),
      plainRecord(5, { expiresAt: soon }),
    ];
    const successor = plainRecord(6);
    await insertAll(store, [revoked, shortened, replaced, prolonged, unlimited]);
    await store.revoke(ACME, revoked.id, soon);
    strictEqual(await store.update(nextVersion(shortened, { expiresAt: soon })), true);
    strictEqual(await store.rotate(replacedBy(replaced, successor, soon), successor), true);
    const alive: ApiKeyRecord[] = [
      nextVersion(prolonged, { expiresAt: AFTER }),
      nextVersion(unlimited, { expiresAt: undefined }),
      successor,
    ];
    for (const record of alive.slice(0, 2)) strictEqual(await store.update(record), true);
    strictEqual(await store.prune(TIME, 1_000), 3);
    deepStrictEqual(idsOf(await listAll(store, ACME)), idsOf(alive));
    for (const record of alive) await assertStored(store, record, 'what lives');
  },

  'prune: removed keys stay removed, whatever was still to be written of them': async ({ store }) => {
    const record = plainRecord(1, { expiresAt: BEFORE });
    await insertAll(store, [record]);
    await store.prune(TIME, 10);
    await store.recordUses([{ id: record.id, at: AFTER }]);
    await store.replaceDigests([
      { id: record.id, from: record.digest, digest: 'f'.repeat(64), digestVersion: 'sha256' },
    ]);
    strictEqual(await store.revoke(ACME, record.id, AFTER), null, 'revoke');
    strictEqual(await store.update(nextVersion(record)), false, 'update');
    const successor = plainRecord(2);
    strictEqual(await store.rotate(replacedBy(record, successor), successor), false, 'rotate');
    await assertAbsent(store, record, 'after all that');
    await assertAbsent(store, successor, 'the successor');
  },
};
