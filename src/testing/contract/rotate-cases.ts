import { strictEqual } from 'node:assert';
import type { ApiKeyRecord } from '../../api-key/api-key-record.js';
import type { ManagedApiKeyStore } from '../../api-key/api-key.store.js';
import { assertAbsent, assertStored } from './contract-assertions.js';
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
  scopesOf,
} from './contract-records.js';

/** Replacing keys. */
export const ROTATE_CASES: Cases = {
  'rotate: writes rotatedTo, graceEndsAt and version of the old key, and inserts the new one': async ({
    store,
    other,
  }) => {
    const [old, successor, bystander] = [fullRecord(1), fullRecord(2), plainRecord(3)];
    await insertAll(store, [old, bystander]);
    const replaced = replacedBy(old, successor);
    strictEqual(await store.rotate(replaced, successor), true);
    for (const instance of [store, other]) {
      await assertStored(instance, replaced, 'the old key');
      await assertStored(instance, successor, 'the new key');
      await assertStored(instance, bystander, 'another key');
    }
  },

  'rotate: touches no other field of the old key, whatever the record given says of it': async ({ store }) => {
    const [old, successor] = [plainRecord(1), plainRecord(2)];
    await insertAll(store, [old]);
    await store.recordUses([{ id: old.id, at: minute(20) }]);
    const given = {
      ...replacedBy(old, successor),
      name: 'other',
      scopes: scopesOf('*:*'),
      digest: 'f'.repeat(64),
      digestVersion: 'hmac-sha256:other',
      environment: 'other',
      createdAt: minute(90),
      expiresAt: minute(91),
      revokedAt: minute(92),
      lastUsedAt: minute(93),
      lineageId: 'key_other',
      metadata: { other: true },
      allowedIps: [],
      paths: [],
    };
    strictEqual(await store.rotate(given, successor), true);
    await assertStored(store, { ...replacedBy(old, successor), lastUsedAt: minute(20) }, 'the old key');
  },

  'rotate: the new key can be replaced in its turn': async ({ store }) => {
    const [first, second, third] = [plainRecord(1), plainRecord(2), plainRecord(3)];
    await insertAll(store, [first]);
    strictEqual(await store.rotate(replacedBy(first, second), second), true, 'the first');
    strictEqual(await store.rotate(replacedBy(second, third), third), true, 'the second');
    await assertStored(store, replacedBy(first, second), 'the first');
    await assertStored(store, replacedBy(second, third), 'the second');
    await assertStored(store, third, 'the third');
  },

  'rotate: keeps copies of what it is given': async ({ store }) => {
    const [old, successor] = [plainRecord(1), fullRecord(2)];
    await insertAll(store, [old]);
    const given = structuredClone({ old: replacedBy(old, successor), successor });
    await store.rotate(given.old, given.successor);
    given.old.graceEndsAt?.setTime(0);
    given.successor.expiresAt?.setTime(0);
    (given.successor.scopes as unknown as string[]).push('*:*');
    await assertStored(store, replacedBy(old, successor), 'the old key');
    await assertStored(store, successor, 'the new key');
  },

  "rotate: false if the new key's id is taken, also by another tenant, and the old key is as it was": async ({
    store,
  }) => {
    const [old, ...others] = [fullRecord(1), plainRecord(2), plainRecord(3, { tenantId: GLOBEX })];
    await insertAll(store, [old, ...others]);
    for (const taken of [...others, old]) {
      const successor = plainRecord(4, { id: taken.id });
      strictEqual(await store.rotate(replacedBy(old, successor), successor), false);
      strictEqual(await store.findByLocator(successor.locator), null, 'the new locator is not there');
      await assertStored(store, taken, 'the key that has the id');
      await assertStored(store, old, 'the old key');
    }
  },

  "rotate: false if the new key's locator is taken, also by another tenant, and the old key is as it was": async ({
    store,
  }) => {
    const [old, ...others] = [fullRecord(1), plainRecord(2), plainRecord(3, { tenantId: GLOBEX })];
    await insertAll(store, [old, ...others]);
    for (const taken of [...others, old]) {
      const successor = plainRecord(4, { locator: taken.locator });
      strictEqual(await store.rotate(replacedBy(old, successor), successor), false);
      strictEqual(await store.findById(ACME, successor.id), null, 'the new id is not there');
      await assertStored(store, taken, 'the key that has the locator');
      await assertStored(store, old, 'the old key');
    }
    const successor = plainRecord(4);
    strictEqual(await store.rotate(replacedBy(old, successor), successor), true, 'with what is free (control)');
  },

  'rotate: false for another version than the next, and neither key is written': async ({ store }) => {
    const old = fullRecord(1);
    await insertAll(store, [old]);
    for (const version of [old.version - 1, old.version, old.version + 2, 1]) {
      await assertRefused(store, { version }, old);
    }
  },

  'rotate: false for a key that was revoked, and neither key is written': async ({ store }) => {
    const old = fullRecord(1);
    await insertAll(store, [old]);
    await store.revoke(ACME, old.id, minute(9));
    const revoked = nextVersion(old, { revokedAt: minute(9) });
    await assertRefused(store, { version: old.version + 1, revokedAt: undefined }, revoked);
    await assertRefused(store, { version: revoked.version + 1 }, revoked);
    await assertRefused(store, { version: revoked.version + 1, revokedAt: undefined }, revoked);
  },

  'rotate: false for a key that was replaced, and neither key is written': async ({ store }) => {
    const [old, successor] = [fullRecord(1), plainRecord(2)];
    await insertAll(store, [old]);
    const replaced = replacedBy(old, successor);
    strictEqual(await store.rotate(replaced, successor), true, 'the first time');
    await assertRefused(store, { version: replaced.version }, replaced);
    await assertRefused(store, { version: replaced.version + 1 }, replaced);
    await assertStored(store, successor, 'the first successor');
  },

  "rotate: false for an id that is unknown or another tenant's, and neither key is written": async ({ store }) => {
    const old = fullRecord(1);
    await insertAll(store, [old]);
    await assertRefused(store, { version: old.version + 1, tenantId: GLOBEX }, old);
    await assertRefused(store, { version: old.version + 1, id: 'unknown' }, old);
    strictEqual(await store.findById(ACME, 'unknown'), null, 'nothing was made');
    strictEqual(await store.findById(GLOBEX, old.id), null, 'nothing was made for the other tenant');
  },
};

/** Tries to replace a key, given so, that is stored so. */
async function assertRefused(
  store: ManagedApiKeyStore,
  given: Partial<ApiKeyRecord>,
  stored: ApiKeyRecord,
): Promise<void> {
  const successor = plainRecord(0xfe, { tenantId: given.tenantId ?? stored.tenantId });
  const old = { ...replacedBy(stored, successor, minute(200)), ...given };
  strictEqual(await store.rotate(old, successor), false, `to version ${old.version} of version ${stored.version}`);
  await assertStored(store, stored, 'the old key');
  await assertAbsent(store, successor, 'the new key');
}
