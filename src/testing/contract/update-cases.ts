import { strictEqual } from 'node:assert';
import type { ApiKeyRecord } from '../../api-key/api-key-record.js';
import type { ManagedApiKeyStore } from '../../api-key/api-key.store.js';
import type { PathGrant } from '../../confined-fs/path-grant.js';
import { assertStored } from './contract-assertions.js';
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

/** What people may change of a key, each other than in any record above. */
const CHANGES: Partial<ApiKeyRecord> = {
  name: 'renamed \u{1f512}',
  scopes: scopesOf('other:read'),
  paths: ['other/**'] as PathGrant[],
  allowedIps: ['198.51.100.0/24'],
  notBefore: minute(31),
  expiresAt: minute(32),
  metadata: { other: [1] },
};

/** Changing keys. */
export const UPDATE_CASES: Cases = {
  'update: writes name, scopes, paths, allowedIps, notBefore, expiresAt, metadata and version': async ({
    store,
    other,
  }) => {
    const records = [fullRecord(1), plainRecord(2)];
    const bystander = fullRecord(3);
    await insertAll(store, [...records, bystander]);
    for (const record of records) {
      const changed = nextVersion(record, CHANGES);
      strictEqual(await store.update(changed), true);
      await assertStored(store, changed, 'after update');
      await assertStored(other, changed, 'after update, through another instance');
    }
    await assertStored(store, bystander, 'another key');
  },

  'update: a limit that is absent or undefined is taken away': async ({ store }) => {
    const { paths, allowedIps, notBefore, expiresAt, metadata, ...unlimited } = fullRecord(1);
    const none = { paths: undefined, allowedIps: undefined, notBefore: undefined, expiresAt: undefined };
    await insertAll(store, [fullRecord(1), fullRecord(2)]);
    strictEqual([paths, allowedIps, notBefore, expiresAt, metadata].includes(undefined), false, 'there were limits');
    strictEqual(await store.update(nextVersion(unlimited)), true, 'absent');
    await assertStored(store, nextVersion(unlimited), 'absent');
    const undefinedOnes = nextVersion(fullRecord(2), { ...none, metadata: undefined });
    strictEqual(await store.update(undefinedOnes), true, 'undefined');
    await assertStored(store, undefinedOnes, 'undefined');
  },

  'update: a limit that becomes an empty list is not taken away': async ({ store }) => {
    await insertAll(store, [fullRecord(1)]);
    const nothing = nextVersion(fullRecord(1), { paths: [], allowedIps: [], scopes: [], metadata: {} });
    strictEqual(await store.update(nothing), true);
    await assertStored(store, nothing, 'after update');
  },

  'update: touches no other field, whatever the record given says of it': async ({ store }) => {
    const record = plainRecord(1);
    await insertAll(store, [record]);
    await store.recordUses([{ id: record.id, at: minute(20) }]);
    const given = nextVersion(record, {
      ...CHANGES,
      digest: 'f'.repeat(64),
      digestVersion: 'hmac-sha256:other',
      environment: 'other',
      createdAt: minute(90),
      revokedAt: minute(91),
      rotatedTo: 'key_other',
      graceEndsAt: minute(92),
      lineageId: 'key_other',
      lastUsedAt: minute(93),
    });
    strictEqual(await store.update(given), true);
    await assertStored(store, nextVersion(record, { ...CHANGES, lastUsedAt: minute(20) }), 'after update');
  },

  'update: keeps a copy of what it is given': async ({ store }) => {
    const record = plainRecord(1);
    await insertAll(store, [record]);
    const given = structuredClone(nextVersion(record, CHANGES));
    await store.update(given);
    (given.scopes as unknown as string[]).push('*:*');
    given.expiresAt?.setTime(0);
    Object.assign(given.metadata as object, { added: true });
    await assertStored(store, nextVersion(record, CHANGES), 'after what was given was changed');
  },

  'update: one version after the other': async ({ store }) => {
    let record = plainRecord(1);
    await insertAll(store, [record]);
    for (const name of ['one', 'two', 'three']) {
      record = nextVersion(record, { name });
      strictEqual(await store.update(record), true, name);
    }
    await assertStored(store, record, 'after three updates');
  },

  'update: false for another version than the next, and nothing is written': async ({ store }) => {
    const record = fullRecord(1);
    await insertAll(store, [record]);
    for (const version of [record.version - 1, record.version, record.version + 2, 1]) {
      await assertRefused(store, { ...record, ...CHANGES, version }, record);
    }
  },

  'update: false for a key that was revoked, and nothing is written': async ({ store }) => {
    const record = fullRecord(1);
    await insertAll(store, [record]);
    await store.revoke(ACME, record.id, minute(9));
    const revoked = nextVersion(record, { revokedAt: minute(9) });
    // Neither as somebody has it who read it before, nor with the version that it has now.
    await assertRefused(store, nextVersion(record, CHANGES), revoked);
    await assertRefused(store, nextVersion(revoked, CHANGES), revoked);
    await assertRefused(store, nextVersion(revoked, { ...CHANGES, revokedAt: undefined }), revoked);
  },

  'update: false for a key that was replaced, and nothing is written': async ({ store }) => {
    const [record, successor] = [fullRecord(1), plainRecord(2)];
    await insertAll(store, [record]);
    const replaced = replacedBy(record, successor);
    await store.rotate(replaced, successor);
    await assertRefused(store, nextVersion(record, CHANGES), replaced);
    await assertRefused(store, nextVersion(replaced, CHANGES), replaced);
    const cleared = { ...CHANGES, rotatedTo: undefined, graceEndsAt: undefined };
    await assertRefused(store, nextVersion(replaced, cleared), replaced);
  },

  "update: false for an id that is unknown or another tenant's, and nothing is written": async ({ store }) => {
    const record = fullRecord(1);
    await insertAll(store, [record]);
    await assertRefused(store, nextVersion(record, { ...CHANGES, tenantId: GLOBEX }), record);
    await assertRefused(store, nextVersion(record, { ...CHANGES, id: 'unknown', locator: 'unknown' }), record);
    strictEqual(await store.findById(GLOBEX, record.id), null, 'nothing was made for the other tenant');
    strictEqual(await store.findById(ACME, 'unknown'), null, 'nothing was made');
  },
};

async function assertRefused(store: ManagedApiKeyStore, given: ApiKeyRecord, stored: ApiKeyRecord): Promise<void> {
  strictEqual(await store.update(given), false, `update to version ${given.version} of version ${stored.version}`);
  await assertStored(store, stored, 'after the refusal');
}
