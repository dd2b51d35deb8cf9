import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll } from '@jest/globals';
import { SqliteApiKeyStore, type SqliteDriverName, type SqliteOptions } from '../../../src/stores/sqlite/index.js';
import { sqliteDriversHere, type OpenSqlite } from '../../support/sqlite.js';

/** Files of one test file; removed after it. */
export class SqliteFiles {
  readonly #folder = mkdtempSync(join(tmpdir(), 'keyfence-sqlite-'));
  readonly #opened: SqliteApiKeyStore[] = [];
  #count = 0;

  /** A path in a folder that is there, where no file is. */
  fresh(): string {
    this.#count += 1;
    return join(this.#folder, `${this.#count}.db`);
  }

  /** Closed after the tests. */
  async open(path: string, options: SqliteOptions): Promise<SqliteApiKeyStore> {
    const store = await SqliteApiKeyStore.open(path, options);
    this.#opened.push(store);
    return store;
  }

  remove(): void {
    for (const store of this.#opened) store.close();
    rmSync(this.#folder, { recursive: true });
  }
}

export function sqliteFilesForThisFile(): SqliteFiles {
  const files = new SqliteFiles();
  afterAll(() => {
    files.remove();
  });
  return files;
}

/** Every driver that works here, for `describe.each`. */
export const DRIVERS: readonly (readonly [SqliteDriverName, OpenSqlite])[] = sqliteDriversHere();

/** Does something with a database by hand, beside the store. */
export function byHand<T>(open: OpenSqlite, path: string, act: (database: ReturnType<OpenSqlite>) => T): T {
  const database = open(path);
  try {
    return act(database);
  } finally {
    database.close();
  }
}
