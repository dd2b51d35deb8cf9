import { beforeEach, expect, it, jest } from '@jest/globals';
import type pg from 'pg';
import { PostgresApiKeyStore } from '../../../src/stores/postgres/index.js';
import type { TestDatabase } from '../../support/postgres.js';
import { sampleKey } from '../../support/sample-key.js';
import { columnOf, describeWith, freshDatabase, postgresForThisFile, until } from './postgres-here.js';
import { StoreProcess } from './store-process.js';

const server = await postgresForThisFile();

jest.setTimeout(90_000);

interface Acknowledged {
  readonly used?: string;
  readonly rotated?: string;
  readonly revoked?: string;
}

describeWith(server)('PostgresApiKeyStore in several processes', () => {
  let database: TestDatabase;
  let pool: pg.Pool;

  beforeEach(async () => {
    database = await freshDatabase(server);
    pool = database.createPool();
  });

  it('is migrated once by processes that start together', async () => {
    const processes = [1, 2, 3].map(() => new StoreProcess('migrate', database.connectionString));
    expect(await Promise.all(processes.map((process) => process.ended()))).toEqual([0, 0, 0]);
    expect(processes.flatMap(({ said }) => said).flat()).toEqual([1]);
  });

  it('lets exactly one of two processes rotate a key, for each of 200 keys', async () => {
    const KEYS = 200;
    const store = new PostgresApiKeyStore(pool, { table: 'keys' });
    await store.migrate();
    for (let index = 0; index < KEYS; index += 1) {
      const id = `key_${index}`;
      await store.insert(sampleKey({ id, locator: `locator-${id}`, lineageId: id }).record);
    }
    const processes = ['one', 'two'].map(
      (name) => new StoreProcess('rotate', database.connectionString, name, `${KEYS}`),
    );
    await until('both are ready', () => processes.every(({ said }) => said.length > 0));
    for (const process of processes) process.go();
    const codes = await Promise.all(processes.map((process) => process.ended()));
    expect({ codes, errors: processes.map((process) => process.errors()) }).toEqual({
      codes: [0, 0],
      errors: ['', ''],
    });

    const [one = [], two = []] = processes.map(({ said }) =>
      (said.slice(1) as { readonly rotated: boolean }[]).map(({ rotated }) => rotated),
    );
    expect(one).toHaveLength(KEYS);
    expect(one.map((rotated, index) => Number(rotated) + Number(two[index]))).toEqual(Array(KEYS).fill(1));
    const winners = one.map((rotated, index) => `key_${index}_by_${rotated ? 'one' : 'two'}`).sort();
    expect(await columnOf(pool, 'select rotated_to from keys where rotated_to is not null order by 1')).toEqual(
      winners,
    );
    expect(await columnOf(pool, 'select id from keys where lineage_id <> id order by 1')).toEqual(winners);
  });

  it('keeps all that was acknowledged, and nothing by half, when a process is killed at any moment', async () => {
    const store = new PostgresApiKeyStore(pool, { table: 'keys' });
    await store.migrate();
    const acknowledged: Acknowledged[] = [];
    for (let round = 0; round < 6; round += 1) {
      const process = new StoreProcess('storm', database.connectionString, `round${round}`);
      await until('it works', () => process.said.length > 20 + round * 7);
      await process.kill();
      expect(process.errors()).toBe('');
      acknowledged.push(...(process.said as Acknowledged[]));
    }
    // What the killed process had sent is finished by the server, or not at all.
    await until('its connections are gone', async () => {
      const others = `select count(*)::int from pg_stat_activity
        where datname = current_database() and pid <> pg_backend_pid() and state <> 'idle'`;
      return (await columnOf(pool, others))[0] === 0;
    });

    const idsOf = (what: keyof Acknowledged): string[] =>
      acknowledged.map((line) => line[what]).filter((id) => id !== undefined);
    const lost = (ids: readonly string[], condition: string): Promise<unknown[]> =>
      columnOf(
        pool,
        `select told.id from unnest($1::text[]) as told (id)
          where not exists (select from keys k where k.id = told.id and ${condition})`,
        [ids],
      );
    expect(idsOf('rotated').length).toBeGreaterThan(20);
    expect(await lost(idsOf('used'), 'last_used_at is not null')).toEqual([]);
    expect(await lost(idsOf('rotated'), 'rotated_to is not null and version = 2')).toEqual([]);
    expect(await lost(idsOf('revoked'), 'revoked_at is not null')).toEqual([]);
    expect(await lost(['never_acknowledged'], 'true')).toEqual(['never_acknowledged']);
    // Half rotations, in either way.
    const orphans = `select id from keys k where rotated_to is not null
      and not exists (select from keys s where s.id = k.rotated_to and s.lineage_id = k.id)`;
    const strays = `select id from keys s where lineage_id <> id
      and not exists (select from keys k where k.id = s.lineage_id and k.rotated_to = s.id)`;
    expect(await columnOf(pool, orphans)).toEqual([]);
    expect(await columnOf(pool, strays)).toEqual([]);
  });

  it('does not end the process when an idle connection of the pool breaks', async () => {
    const process = new StoreProcess('idle', database.connectionString, 'with-store');
    expect({ code: await process.ended(), said: process.said }).toEqual({ code: 0, said: ['alive'] });
  });

  it('would end it without a store on the pool (control)', async () => {
    const process = new StoreProcess('idle', database.connectionString, 'without-store');
    expect(await process.ended()).toBe(1);
    expect(process.errors()).toContain('terminating connection');
  });
});
