import { describe, it } from '@jest/globals';
import { SqliteApiKeyStore } from '../../../src/stores/sqlite/index.js';
import { apiKeyStoreContract } from '../../../src/testing/index.js';
import { DRIVERS, sqliteFilesForThisFile } from './sqlite-here.js';

describe.each(DRIVERS)('SqliteApiKeyStore keeps the contract with %s', (driver) => {
  const files = sqliteFilesForThisFile();
  const paths = new WeakMap<SqliteApiKeyStore, string>();
  const close = (store: SqliteApiKeyStore): void => {
    store.close();
  };

  describe('in a file, with a second connection', () => {
    const open = async (): Promise<SqliteApiKeyStore> => {
      const path = files.fresh();
      const store = await SqliteApiKeyStore.open(path, { driver });
      paths.set(store, path);
      return store;
    };
    const openAnother = (store: SqliteApiKeyStore): Promise<SqliteApiKeyStore> =>
      SqliteApiKeyStore.open(paths.get(store) ?? '', { driver });

    for (const { name, run } of apiKeyStoreContract({ open, openAnother, close })) it(name, run);
  });

  describe('in memory', () => {
    const open = (): Promise<SqliteApiKeyStore> => SqliteApiKeyStore.open(':memory:', { driver });

    for (const { name, run } of apiKeyStoreContract({ open, close })) it(name, run);
  });
});
