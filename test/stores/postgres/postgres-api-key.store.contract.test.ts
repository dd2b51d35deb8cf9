import { beforeAll, it, jest } from '@jest/globals';
import type pg from 'pg';
import { PostgresApiKeyStore } from '../../../src/stores/postgres/index.js';
import { apiKeyStoreContract } from '../../../src/testing/index.js';
import { describeWith, freshDatabase, freshTable, postgresForThisFile } from './postgres-here.js';

const server = await postgresForThisFile();
jest.setTimeout(30_000);

// Serializable is what a careful team sets for a whole database: what loses there is undone and tried again.
describeWith(server).each(['read committed', 'repeatable read', 'serializable'])(
  'PostgresApiKeyStore keeps the contract at isolation %s',
  (isolation) => {
    let pool: pg.Pool;
    let anotherPool: pg.Pool;
    const tables = new WeakMap<PostgresApiKeyStore, string>();

    beforeAll(async () => {
      const database = await freshDatabase(server);
      const options = `-c default_transaction_isolation=${isolation.replace(' ', '\\ ')}`;
      pool = database.createPool({ options });
      anotherPool = database.createPool({ options });
    });

    const open = async (): Promise<PostgresApiKeyStore> => {
      const table = freshTable();
      const store = new PostgresApiKeyStore(pool, { table });
      tables.set(store, table);
      await store.migrate();
      return store;
    };
    const openAnother = (store: PostgresApiKeyStore): PostgresApiKeyStore =>
      new PostgresApiKeyStore(anotherPool, { table: tables.get(store) });

    for (const { name, run } of apiKeyStoreContract({ open, openAnother })) it(name, run);
  },
);
