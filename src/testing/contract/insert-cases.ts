import { AssertionError, strictEqual } from 'node:assert';
import type { ApiKeyRecord, StoredApiKey } from '../../api-key/api-key-record.js';
import { assertAbsent, assertStored } from './contract-assertions.js';
import type { Cases, Instances } from './contract-case.js';
import { ACME, fullRecord, GLOBEX, insertAll, minute, plainRecord, scopesOf } from './contract-records.js';

/** Adding records and finding them. */
export const INSERT_CASES: Cases = {
  'insert, then each finder: gives every field as it was, dates to the millisecond': ({ store }) =>
    keeps(store, fullRecord(1)),

  'insert, then each finder: a limit that is not set is absent': ({ store }) => keeps(store, plainRecord(1)),

  'insert, then each finder: an empty list is not an absent one': ({ store }) =>
    keeps(store, plainRecord(1, { allowedIps: [], paths: [], scopes: [] })),

  'insert, then each finder: empty metadata is not absent': ({ store }) =>
    keeps(store, plainRecord(1, { metadata: {} })),

  'insert, then each finder: a name of 100 characters': ({ store }) =>
    keeps(store, plainRecord(1, { name: '\u6771'.repeat(100) })),

  'insert: a key that was revoked, replaced and has ended': ({ store }) =>
    keeps(
      store,
      plainRecord(1, {
        revokedAt: minute(1),
        rotatedTo: 'key_next',
        graceEndsAt: minute(2),
        expiresAt: minute(3),
        lastUsedAt: minute(4),
      }),
    ),

  'insert: false for an id that is taken, also by another tenant, and nothing is changed': async ({ store }) => {
    const first = fullRecord(1);
    await insertAll(store, [first]);
    for (const tenantId of [ACME, GLOBEX]) {
      const second = plainRecord(2, { id: first.id, tenantId, scopes: scopesOf('*:*') });
      strictEqual(await store.insert(second), false, `id taken, tenant ${tenantId}`);
      strictEqual(await store.findByLocator(second.locator), null, 'the refused locator is not there');
    }
    await assertStored(store, first, 'the first is as it was');
  },

  'insert: false for a locator that is taken, also by another tenant, and nothing is changed': async ({ store }) => {
    const first = fullRecord(1);
    await insertAll(store, [first]);
    for (const tenantId of [ACME, GLOBEX]) {
      const second = plainRecord(2, { locator: first.locator, tenantId, scopes: scopesOf('*:*') });
      strictEqual(await store.insert(second), false, `locator taken, tenant ${tenantId}`);
      strictEqual(await store.findById(tenantId, second.id), null, 'the refused id is not there');
    }
    await assertStored(store, first, 'the first is as it was');
    // What was refused holds nothing: its id is still free.
    await keeps(store, plainRecord(2));
  },

  'findByLocator, findById: null for what is unknown': async ({ store }) => {
    const record = fullRecord(1);
    await insertAll(store, [record]);
    for (const text of ['unknown', '', record.locator.slice(1), `${record.locator}0`, record.id, '%', '__proto__']) {
      strictEqual(await store.findByLocator(text), null, `findByLocator('${text}')`);
    }
    for (const text of ['unknown', '', record.id.slice(1), `${record.id}0`, record.locator, '%', '__proto__']) {
      strictEqual(await store.findById(ACME, text), null, `findById('${text}')`);
    }
  },

  "findById: another tenant's id is the same as none": async ({ store }) => {
    const record = fullRecord(1);
    await insertAll(store, [record, plainRecord(2, { tenantId: GLOBEX })]);
    strictEqual(await store.findById(GLOBEX, record.id), null);
    await assertStored(store, record, 'for its own tenant');
  },

  'insert keeps a copy: changing what was given changes nothing that is stored': async ({ store }) => {
    const given = fullRecord(1);
    await insertAll(store, [given]);
    vandalize(given);
    await assertStored(store, fullRecord(1), 'after what was given was changed');
  },

  'findByLocator, findById, list and revoke give copies: changing one changes nothing that is stored': async ({
    store,
  }) => {
    const record = fullRecord(1);
    await insertAll(store, [record]);
    vandalize(await store.findByLocator(record.locator));
    vandalize(await store.findById(ACME, record.id));
    vandalize((await store.list(ACME, { limit: 10, includeRevoked: true })).items[0]);
    await assertStored(store, record, 'after what was got was changed');
    vandalize(await store.revoke(ACME, record.id, minute(9)));
    const revoked = { ...record, revokedAt: minute(9), version: record.version + 1 };
    await assertStored(store, revoked, "after revoke's answer was changed");
  },

  'insert through one instance is seen by another at once': async ({ store, other }) => {
    const record = fullRecord(1);
    await assertAbsent(other, record, 'before');
    await insertAll(store, [record]);
    await assertStored(other, record, 'after');
  },
};

async function keeps(store: Instances['store'], record: ApiKeyRecord): Promise<void> {
  strictEqual(await store.insert(record), true, 'insert of what is free');
  await assertStored(store, record, 'what was inserted');
}

/** Changes whatever of a record can be changed: a store may give frozen parts instead of copies. */
function vandalize(record: ApiKeyRecord | StoredApiKey | null | undefined): void {
  if (record === null || record === undefined) throw new AssertionError({ message: 'there is no record to change' });
  const metadata = record.metadata as { nested?: { list?: unknown[] }; added?: boolean } | null | undefined;
  const attempts = [
    () => (record.scopes as string[]).push('*:*'),
    () => (record.allowedIps as string[]).splice(0),
    () => (record.paths as string[]).splice(0),
    () => metadata?.nested?.list?.push('added'),
    () => Object.assign(metadata ?? {}, { added: true }),
    () => record.expiresAt?.setTime(0),
    () => record.notBefore?.setTime(0),
    () => record.revokedAt?.setTime(0),
    () => 'createdAt' in record && record.createdAt.setTime(0),
    () => 'lastUsedAt' in record && record.lastUsedAt?.setTime(0),
    () => Object.assign(record, { tenantId: GLOBEX, revokedAt: undefined }),
  ];
  for (const attempt of attempts) {
    try {
      attempt();
    } catch (error) {
      if ((error as Error).name !== 'TypeError') throw error;
    }
  }
}
