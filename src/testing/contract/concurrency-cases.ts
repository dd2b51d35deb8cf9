import { AssertionError, deepStrictEqual, strictEqual } from 'node:assert';
import type { ApiKeyRecord } from '../../api-key/api-key-record.js';
import type { ManagedApiKeyStore } from '../../api-key/api-key.store.js';
import { assertAbsent, assertStored, countTrue, idsOf, listAll } from './contract-assertions.js';
import type { Cases, Instances } from './contract-case.js';
import { ACME, insertAll, minute, nextVersion, plainRecord, replacedBy } from './contract-records.js';

const AT_ONCE = 20;
/** One meeting of two may pass by luck. */
const KEYS = 10;

/** What must hold whatever runs at the same time, in this process or in another. */
export const CONCURRENCY_CASES: Cases = {
  'at once: of many that insert one id, exactly one succeeds': async (instances) => {
    const records = Array.from({ length: AT_ONCE }, (_, index) => plainRecord(index, { id: 'key_wanted' }));
    const answers = await atOnce(instances, records, (store, record) => store.insert(record));
    strictEqual(countTrue(answers), 1);
    await assertWinner(instances.store, records, answers);
  },

  'at once: of many that insert one locator, exactly one succeeds': async (instances) => {
    const records = Array.from({ length: AT_ONCE }, (_, index) => plainRecord(index, { locator: 'wanted' }));
    const answers = await atOnce(instances, records, (store, record) => store.insert(record));
    strictEqual(countTrue(answers), 1);
    await assertWinner(instances.store, records, answers);
  },

  'at once: of many that rotate one key, exactly one succeeds, and exactly one successor is stored': async (
    instances,
  ) => {
    const old = plainRecord(0);
    await insertAll(instances.store, [old]);
    const successors = Array.from({ length: AT_ONCE }, (_, index) => plainRecord(index + 1));
    const answers = await atOnce(instances, successors, (store, successor) =>
      store.rotate(replacedBy(old, successor), successor),
    );
    strictEqual(countTrue(answers), 1);
    const winner = await assertWinner(instances.store, successors, answers);
    await assertStored(instances.store, replacedBy(old, winner), 'the old key leads to the one that is stored');
    for (const loser of successors.filter((successor) => successor !== winner)) {
      await assertAbsent(instances.store, loser, 'a successor that lost');
    }
    strictEqual((await listAll(instances.store, ACME)).length, 2);
  },

  'at once: of many keys rotated to one new id, exactly one is, and the others are as they were': async (instances) => {
    const olds = Array.from({ length: AT_ONCE }, (_, index) => plainRecord(index));
    await insertAll(instances.store, olds);
    const successor = plainRecord(0xff);
    const answers = await atOnce(instances, olds, (store, old) => store.rotate(replacedBy(old, successor), successor));
    strictEqual(countTrue(answers), 1);
    await assertStored(instances.store, successor, 'the successor');
    for (const [index, old] of olds.entries()) {
      const expected = answers[index] === true ? replacedBy(old, successor) : old;
      await assertStored(instances.store, expected, 'an old key');
    }
  },

  'at once: of many updates of one version, exactly one is written': async (instances) => {
    const record = plainRecord(1);
    await insertAll(instances.store, [record]);
    const updates = Array.from({ length: AT_ONCE }, (_, index) => nextVersion(record, { name: `name ${index}` }));
    const answers = await atOnce(instances, updates, (store, update) => store.update(update));
    strictEqual(countTrue(answers), 1);
    await assertWinner(instances.store, updates, answers);
  },

  'at once: of many that revoke one key, all get the time of one': async (instances) => {
    const record = plainRecord(1);
    await insertAll(instances.store, [record]);
    const times = Array.from({ length: AT_ONCE }, (_, index) => minute(index));
    const answers = await atOnce(instances, times, (store, at) => store.revoke(ACME, record.id, at));
    const got = new Set(answers.map((answer) => answer?.revokedAt?.getTime()));
    strictEqual(got.size, 1, 'every answer has the same time');
    const [at] = got;
    strictEqual(
      times.some((time) => time.getTime() === at),
      true,
      'it is one of those given',
    );
    await assertStored(instances.store, nextVersion(record, { revokedAt: new Date(at ?? NaN) }), 'after all');
  },

  'at once: a key that is updated while it is revoked is revoked': async (instances) => {
    await eachKey(instances, async (record, first, second) => {
      const [updated] = await Promise.all([
        first.update(nextVersion(record, { name: 'renamed' })),
        second.revoke(ACME, record.id, minute(90)),
      ]);
      const before = updated ? nextVersion(record, { name: 'renamed' }) : record;
      return nextVersion(before, { revokedAt: minute(90) });
    });
  },

  'at once: a key that is rotated while it is revoked is revoked, and its successor is there only if it was rotated':
    async (instances) => {
      await eachKey(instances, async (record, first, second) => {
        const successor = plainRecord(Number.parseInt(record.locator, 16) + 0x100);
        const [rotated] = await Promise.all([
          first.rotate(replacedBy(record, successor), successor),
          second.revoke(ACME, record.id, minute(90)),
        ]);
        if (rotated) await assertStored(instances.store, successor, 'the successor');
        else await assertAbsent(instances.store, successor, 'the successor');
        return nextVersion(rotated ? replacedBy(record, successor) : record, { revokedAt: minute(90) });
      });
    },

  'at once: a key is updated or rotated, and not both from one version': async (instances) => {
    await eachKey(instances, async (record, first, second) => {
      const successor = plainRecord(Number.parseInt(record.locator, 16) + 0x100);
      const updated = nextVersion(record, { name: 'renamed' });
      const answers = await Promise.all([
        first.update(updated),
        second.rotate(replacedBy(record, successor), successor),
      ]);
      strictEqual(countTrue(answers), 1);
      return answers[0] ? updated : replacedBy(record, successor);
    });
  },

  'at once: a revocation, a use and a new digest are all kept': async (instances) => {
    await eachKey(instances, async (record, first, second) => {
      await Promise.all([
        first.recordUses([{ id: record.id, at: minute(80) }]),
        second.revoke(ACME, record.id, minute(90)),
        first.replaceDigests([{ id: record.id, from: record.digest, ...NEW_DIGEST }]),
      ]);
      return nextVersion(record, { lastUsedAt: minute(80), revokedAt: minute(90), ...NEW_DIGEST });
    });
  },

  'at once: an update, a use and a new digest are all kept': async (instances) => {
    await eachKey(instances, async (record, first, second) => {
      const updated = nextVersion(record, { name: 'renamed', expiresAt: minute(99) });
      const [, answer] = await Promise.all([
        first.recordUses([{ id: record.id, at: minute(80) }]),
        second.update(updated),
        first.replaceDigests([{ id: record.id, from: record.digest, ...NEW_DIGEST }]),
      ]);
      strictEqual(answer, true, 'uses and digests do not stand in the way of an update');
      return { ...updated, lastUsedAt: minute(80), ...NEW_DIGEST };
    });
  },

  'at once: a rotation, a use and a new digest are all kept': async (instances) => {
    await eachKey(instances, async (record, first, second) => {
      const successor = plainRecord(Number.parseInt(record.locator, 16) + 0x100);
      const [, answer] = await Promise.all([
        first.recordUses([{ id: record.id, at: minute(80) }]),
        second.rotate(replacedBy(record, successor), successor),
        first.replaceDigests([{ id: record.id, from: record.digest, ...NEW_DIGEST }]),
      ]);
      strictEqual(answer, true, 'uses and digests do not stand in the way of a rotation');
      return { ...replacedBy(record, successor), lastUsedAt: minute(80), ...NEW_DIGEST };
    });
  },

  'at once: of many uses of the same keys the latest is kept, in whatever order each batch has them': async (
    instances,
  ) => {
    const records = Array.from({ length: 50 }, (_, index) => plainRecord(index));
    await insertAll(instances.store, records);
    const batches = Array.from({ length: AT_ONCE }, (_, index) => {
      // Each second one is earlier than the one before it.
      const uses = records.map(({ id }) => ({ id, at: minute(index % 2 === 0 ? index + 1 : index - 1) }));
      return Math.floor(index / 2) % 2 === 0 ? uses : uses.toReversed();
    });
    // The latest in the middle, so that it is neither the first nor the last to be written.
    batches.push(...batches.splice(0, AT_ONCE / 2));
    await atOnce(instances, batches, (store, uses) => store.recordUses(uses));
    for (const record of records.slice(0, 3)) {
      await assertStored(instances.store, { ...record, lastUsedAt: minute(AT_ONCE - 1) }, 'after all');
    }
    const times = new Set((await listAll(instances.store, ACME)).map(({ lastUsedAt }) => lastUsedAt?.getTime()));
    deepStrictEqual([...times], [minute(AT_ONCE - 1).getTime()]);
  },

  'at once: of many new digests for one, exactly one is written': async (instances) => {
    const record = plainRecord(1);
    await insertAll(instances.store, [record]);
    const digests = Array.from({ length: AT_ONCE }, (_, index) => ({
      digest: plainRecord(index + 0x100).digest,
      digestVersion: `hmac-sha256:${index}`,
    }));
    await atOnce(instances, digests, (store, digest) =>
      store.replaceDigests([{ id: record.id, from: record.digest, ...digest }]),
    );
    const stored = await instances.store.findById(ACME, record.id);
    const written = digests.find(({ digest }) => digest === stored?.digest);
    // Digest and version belong together: one of each would refuse the key for ever.
    await assertStored(instances.store, { ...record, ...written }, 'after all');
    strictEqual(written === undefined, false, 'one was written');
  },

  'at once: several that prune count every key once': async (instances) => {
    const dead = Array.from({ length: 30 }, (_, index) => plainRecord(index, { revokedAt: minute(0) }));
    const alive = plainRecord(0xff);
    await insertAll(instances.store, [...dead, alive]);
    const counts = await atOnce(instances, [7, 7, 7, 7, 30], (store, limit) => store.prune(minute(50), limit));
    const left = await listAll(instances.store, ACME);
    strictEqual(left.length, 1 + dead.length - counts.reduce((sum, count) => sum + count, 0));
    strictEqual(idsOf(left).includes(alive.id), true, 'the one that lives');
  },
};

const NEW_DIGEST = { digest: 'abcdef0123456789'.repeat(4), digestVersion: 'hmac-sha256:new' } as const;

/** Does something with each item at the same time, through both instances in turn. */
function atOnce<T, R>(
  { store, other }: Instances,
  items: readonly T[],
  act: (store: ManagedApiKeyStore, item: T) => Promise<R>,
): Promise<R[]> {
  return Promise.all(items.map((item, index) => act(index % 2 === 0 ? store : other, item)));
}

/** Fails unless the record whose answer was `true` is stored; gives it. */
async function assertWinner(
  store: ManagedApiKeyStore,
  records: readonly ApiKeyRecord[],
  answers: readonly boolean[],
): Promise<ApiKeyRecord> {
  const winner = records[answers.indexOf(true)];
  if (winner === undefined) throw new AssertionError({ message: 'nobody succeeded' });
  await assertStored(store, winner, 'the one that succeeded');
  return winner;
}

/**
 * Lets changes meet on several keys at the same time, each instance being first in turn.
 * @param meet makes the changes and gives the record that must be stored after them
 */
async function eachKey(
  instances: Instances,
  meet: (record: ApiKeyRecord, first: ManagedApiKeyStore, second: ManagedApiKeyStore) => Promise<ApiKeyRecord>,
): Promise<void> {
  const { store, other } = instances;
  const records = Array.from({ length: KEYS }, (_, index) => plainRecord(index));
  await insertAll(store, records);
  await Promise.all(
    records.map(async (record, index) => {
      const expected = await (index % 2 === 0 ? meet(record, store, other) : meet(record, other, store));
      await assertStored(store, expected, 'after all');
    }),
  );
}
