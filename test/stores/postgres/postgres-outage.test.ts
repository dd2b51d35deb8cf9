import { expect, it, jest } from '@jest/globals';
import type { ApiKeyRecord } from '../../../src/api-key/api-key-record.js';
import type { TenantId } from '../../../src/principal/tenant-id.js';
import { PostgresApiKeyStore, PostgresInvalidationBus } from '../../../src/stores/postgres/index.js';
import { sampleKey } from '../../support/sample-key.js';
import { describeWith, freshDatabase, postgresForThisFile, until } from './postgres-here.js';

const server = await postgresForThisFile();
const ACME = 'acme' as TenantId;
/** What the authenticator waits for a store. */
const DEADLINE_MS = 3_000;

jest.setTimeout(90_000);

interface Lookup {
  readonly ok: boolean;
  readonly took: number;
}

describeWith(server)('PostgresApiKeyStore while its server is killed and started again', () => {
  it.each(['kill', 'orderly'] as const)(
    'rejects while it is down (%s), works again unaided, and has lost nothing',
    async (mode) => {
      const database = await freshDatabase(server);
      const pool = database.createPool({ max: 6, connectionTimeoutMillis: 2_000 });
      const store = new PostgresApiKeyStore(pool);
      await store.migrate();
      let resets = 0;
      const heard: string[] = [];
      const bus = new PostgresInvalidationBus(pool);
      const stop = await bus.subscribe({ invalidate: (all) => heard.push(...all), reset: () => (resets += 1) });

      const { record } = sampleKey();
      await store.insert(record);
      const lookups: Lookup[] = [];
      const acknowledged: ApiKeyRecord[] = [];
      let running = true;
      const reader = async (): Promise<void> => {
        while (running) {
          const started = performance.now();
          const ok = await store.findByLocator(record.locator).then(
            (found) => found?.id === record.id,
            () => false,
          );
          lookups.push({ ok, took: performance.now() - started });
          // A lookup that fails at once would not let the server's end be noticed.
          await new Promise((resolve) => setImmediate(resolve));
        }
      };
      const writer = async (): Promise<void> => {
        while (running) {
          const [old, successor] = [sampleKey().record, sampleKey().record];
          const replaced = { ...old, rotatedTo: successor.id, graceEndsAt: new Date(9), version: 2 };
          try {
            if (!(await store.insert(old)) || !(await store.rotate(replaced, successor))) continue;
            acknowledged.push(replaced);
            const revoked = await store.revoke(ACME, successor.id, new Date(5));
            if (revoked !== null) acknowledged.push(revoked);
          } catch {
            await new Promise((resolve) => setTimeout(resolve, 5));
          }
        }
      };
      const load = [reader(), reader(), reader(), writer()];
      const since = (mark: number, ok: boolean): boolean => lookups.slice(mark).some((lookup) => lookup.ok === ok);
      try {
        for (let round = 1; round <= 2; round += 1) {
          const [before, writes] = [lookups.length, acknowledged.length];
          await until('it works', () => since(before, true) && acknowledged.length > writes + 5);
          await server?.stop(mode);
          const down = lookups.length;
          await until('lookups are rejected', () => since(down, false));
          expect(since(down + 3, true)).toBe(false);
          await server?.start();
          const up = lookups.length;
          await until('lookups work', () => since(up, true));
          await until('the bus listens', () => resets >= round);
        }
      } finally {
        running = false;
        await Promise.all(load);
      }
      expect(Math.max(...lookups.map(({ took }) => took))).toBeLessThan(DEADLINE_MS);
      expect(acknowledged.length).toBeGreaterThan(10);
      for (const expected of acknowledged) expect(await store.findByLocator(expected.locator)).toEqual(expected);
      await bus.publish(['after']);
      await until('the bus carries again', () => heard.includes('after'));
      await stop();
      expect({ waiting: pool.waitingCount, busy: pool.totalCount - pool.idleCount }).toEqual({ waiting: 0, busy: 0 });
    },
  );
});
