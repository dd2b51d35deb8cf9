import { afterAll, describe, expect, it, jest } from '@jest/globals';
import type { ApiKeyRecord } from '../../../src/api-key/api-key-record.js';
import type { SqliteApiKeyStore } from '../../../src/stores/sqlite/index.js';
import { sampleKey } from '../../support/sample-key.js';
import { halfRotations } from './half-rotations.js';
import { byHand, DRIVERS, sqliteFilesForThisFile } from './sqlite-here.js';
import { SqliteProgram } from './sqlite-processes.js';

jest.setTimeout(120_000);

const KILLS = 25;
const PROCESSES = 4;
const KEYS = 20;

/** Every key in the store; throws for a record that is not sound. */
async function allKeys(store: SqliteApiKeyStore): Promise<ApiKeyRecord[]> {
  const records: ApiKeyRecord[] = [];
  const { tenantId } = sampleKey().record;
  for (let cursor: string | undefined, first = true; first || cursor !== undefined; first = false) {
    const page = await store.list(tenantId, { limit: 200, includeRevoked: true, cursor });
    records.push(...page.items);
    cursor = page.next;
  }
  return records;
}

describe.each(DRIVERS)('processes that share a file, with %s', (driver, openByHand) => {
  const files = sqliteFilesForThisFile();
  const program = new SqliteProgram();
  afterAll(() => {
    program.remove();
  });

  it('a process that is killed while it writes leaves every record sound, no rotation half done, and all that it was told is written', async () => {
    const path = files.fresh();
    let told = 0;
    for (let round = 1; round <= KILLS; round += 1) {
      const writer = await program.start('churn', path, driver);
      writer.begin();
      let left = 1 + ((round * 7) % 23);
      await writer.until(({ did }) => did !== 'ready' && (left -= 1) <= 0);
      expect(await writer.kill()).toBe('SIGKILL');

      const store = await files.open(path, { driver });
      const records = await allKeys(store);
      expect(halfRotations(records)).toEqual([]);
      const byId = new Map(records.map((record) => [record.id, record]));
      for (const said of writer.said) {
        if (said.did === 'rotated') expect(byId.get(said.id)?.rotatedTo).toBe(said.to);
        if (said.did === 'revoked') expect(byId.get(said.id)?.revokedAt).toBeInstanceOf(Date);
        if (said.did === 'used') expect(byId.get(said.id)?.lastUsedAt?.getTime()).toBe(said.at);
        if (said.did !== 'ready') told += 1;
      }
      store.close();
    }
    expect(told).toBeGreaterThan(KILLS);
    byHand(openByHand, path, (database) => {
      expect(database.prepare('PRAGMA integrity_check').all()).toMatchObject([{ integrity_check: 'ok' }]);
    });
  });

  it('a rotation that is half done would be noticed (control)', async () => {
    const path = files.fresh();
    const store = await files.open(path, { driver });
    const { record: old } = sampleKey();
    const { record: successor } = sampleKey({ lineageId: old.id });
    await store.insert(old);
    await store.rotate({ ...old, rotatedTo: successor.id, graceEndsAt: new Date(), version: 2 }, successor);
    expect(halfRotations(await allKeys(store))).toEqual([]);

    const withoutOne = async (id: string): Promise<string[]> => {
      const rest = (await allKeys(store)).filter((record) => record.id !== id);
      return halfRotations(rest);
    };
    expect(await withoutOne(successor.id)).toEqual([`${old.id} was replaced by a key that is not there`]);
    expect(await withoutOne(old.id)).toEqual([`${successor.id} replaced no key, or several`]);
  });

  it('of several that rotate the same keys, exactly one replaces each', async () => {
    const path = files.fresh();
    const store = await files.open(path, { driver });
    const keys = Array.from({ length: KEYS }, () => sampleKey().record);
    for (const record of keys) await store.insert(record);
    const ids = keys.map(({ id }) => id);

    const rivals = await Promise.all(
      Array.from({ length: PROCESSES }, () => program.start('rotate', path, driver, ...ids)),
    );
    for (let round = 1; round <= KEYS; round += 1) {
      // Each is the first to be told in turn.
      for (let turn = 0; turn < PROCESSES; turn += 1) rivals[(round + turn) % PROCESSES]?.begin();
      await Promise.all(rivals.map((rival) => rival.untilFinished(round)));
    }

    const won = rivals.map(({ said }) => said.flatMap((line) => (line.did === 'rotated' ? [line] : [])));
    expect(
      won
        .flat()
        .map(({ id }) => id)
        .sort(),
    ).toEqual(ids.toSorted());
    // Otherwise there was no race.
    expect(won.filter(({ length }) => length > 0).length).toBeGreaterThan(1);
    const records = await allKeys(store);
    expect(records).toHaveLength(2 * KEYS);
    expect(halfRotations(records)).toEqual([]);
    const byId = new Map(records.map((record) => [record.id, record]));
    for (const { id, to } of won.flat()) expect(byId.get(id)).toMatchObject({ rotatedTo: to, version: 2 });
  });

  it('several that open a file that is not there make its tables once', async () => {
    for (let round = 0; round < 2; round += 1) {
      const path = files.fresh();
      const openers = await Promise.all(Array.from({ length: PROCESSES }, () => program.start('open', path, driver)));
      for (const opener of openers) opener.begin();
      expect(await Promise.all(openers.map((opener) => opener.end()))).toEqual(openers.map(() => 0));
      for (const { said } of openers) expect(said.at(-1)).toEqual({ did: 'finished' });
      byHand(openByHand, path, (database) => {
        expect(database.prepare('SELECT version FROM keyfence_schema').all()).toMatchObject([{ version: 1 }]);
      });
    }
  });
});
