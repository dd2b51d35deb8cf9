import { chmodSync, existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { afterEach, describe, expect, it, jest } from '@jest/globals';
import { KeyfenceConfigurationError } from '../../../src/errors/configuration.error.js';
import { SqliteApiKeyStore, type SqliteDriverName } from '../../../src/stores/sqlite/index.js';
import { openDatabaseFile } from '../../../src/stores/sqlite/database-file.js';
import { sampleKey } from '../../support/sample-key.js';
import { byHand, DRIVERS, sqliteFilesForThisFile } from './sqlite-here.js';

describe.each(DRIVERS)('SqliteApiKeyStore.open with %s', (driver, openByHand) => {
  const files = sqliteFilesForThisFile();

  it('makes a file that only its owner may read, with the files beside it', async () => {
    const path = files.fresh();
    const store = await files.open(path, { driver });
    await store.insert(sampleKey().record);
    for (const file of [path, `${path}-wal`, `${path}-shm`]) expect(statSync(file).mode & 0o777).toBe(0o600);
  });

  it('leaves the mode of a file that is there', async () => {
    const path = files.fresh();
    writeFileSync(path, '');
    chmodSync(path, 0o640);
    await files.open(path, { driver });
    expect(statSync(path).mode & 0o777).toBe(0o640);
  });

  it('keeps keys over a restart; a key is lost when its process ends only in memory', async () => {
    const path = files.fresh();
    const { record } = sampleKey();
    const first = await files.open(path, { driver });
    expect(first.volatile).toBe(false);
    await first.insert(record);
    first.close();
    const second = await files.open(path, { driver });
    expect(await second.findById(record.tenantId, record.id)).toMatchObject({ id: record.id });

    const inMemory = await files.open(':memory:', { driver });
    expect(inMemory.volatile).toBe(true);
    await inMemory.insert(record);
    expect(await (await files.open(':memory:', { driver })).findById(record.tenantId, record.id)).toBeNull();
    expect(existsSync(':memory:')).toBe(false);
  });

  it('takes a path for a path, whatever it looks like', async () => {
    const path = files.fresh();
    const folder = dirname(path);
    mkdirSync(join(folder, 'http:/127.0.0.1:9'), { recursive: true });
    const here = relative(process.cwd(), folder);
    for (const name of ['file:plain.db?mode=memory', 'http://127.0.0.1:9/keys.db', ':memory:', 'a b\'"#%.db']) {
      // Not as it stands for the drivers that would go elsewhere: the working folder cannot be changed here.
      const store = await files.open(`${here}/${name}`, { driver });
      expect(store.volatile).toBe(false);
      await store.insert(sampleKey().record);
      expect(statSync(join(folder, name)).size).toBeGreaterThanOrEqual(0);
      store.close();
      expect(readFileSync(join(folder, name)).subarray(0, 15).toString()).toBe('SQLite format 3');
    }
  });

  it.each([
    ['a folder that is not there', (path: string) => join(path, 'keys.db')],
    ['a folder', (path: string) => dirname(path)],
    [
      'a file that is no database',
      (path: string) => {
        writeFileSync(path, 'not a database, but long enough to have a header '.repeat(100));
        return path;
      },
    ],
  ])('refuses %s with the path and the cure', async (_what, make) => {
    const path = make(files.fresh());
    const opening = files.open(path, { driver });
    await expect(opening).rejects.toBeInstanceOf(KeyfenceConfigurationError);
    await expect(opening).rejects.toThrow(`SqliteApiKeyStore.open('${path}') cannot be opened as a database (`);
    await expect(opening).rejects.toThrow('Give the path of an SQLite file');
  });

  it('with migrate: false makes no file', async () => {
    const path = files.fresh();
    await expect(files.open(path, { driver, migrate: false })).rejects.toThrow(/does not exist.*migrate: false/);
    expect(existsSync(path)).toBe(false);
  });

  it('gives way to a process that holds the lock, and opens when it is free', async () => {
    const path = files.fresh();
    const other = openByHand(path);
    // In the way of the change to WAL.
    other.exec('CREATE TABLE other (a TEXT); BEGIN IMMEDIATE');
    const opening = files.open(path, { driver });
    // It has to have met the lock: the event loop is free while it waits.
    await new Promise((resolve) => setTimeout(resolve, 50));
    other.exec('COMMIT');
    other.close();
    expect(await (await opening).findByLocator('unknown')).toBeNull();
  });

  it('rejects after close, and may be closed twice', async () => {
    const path = files.fresh();
    const store = await files.open(path, { driver });
    const { record } = sampleKey();
    await store.insert(record);
    store.close();
    store.close();
    await expect(store.findByLocator(record.locator)).rejects.toThrow('was closed');
    await expect(store.insert(sampleKey().record)).rejects.toThrow('was closed');
    expect(
      byHand(openByHand, path, (database) => database.prepare('SELECT id FROM keyfence_api_keys').all()),
    ).toHaveLength(1);
  });

  it('rejects a write while another holds the lock for longer than it waits, and writes afterwards', async () => {
    const path = files.fresh();
    const store = await files.open(path, { driver });
    const { record } = sampleKey();
    const other = openByHand(path);
    other.exec('BEGIN IMMEDIATE');
    await expect(store.insert(record)).rejects.toThrow(/locked/);
    // Readers do not wait.
    expect(await store.findByLocator(record.locator)).toBeNull();
    other.exec('COMMIT');
    other.close();
    expect(await store.insert(record)).toBe(true);
  });
});

describe('SqliteApiKeyStore.open', () => {
  const files = sqliteFilesForThisFile();

  it.each([
    ['', 'is empty'],
    [7 as unknown as string, 'is no path'],
    ['keys\0.db', 'is no path'],
  ])('refuses the path %j', async (path, problem) => {
    await expect(SqliteApiKeyStore.open(path)).rejects.toThrow(problem);
  });

  it.each([true, false])(
    'gives a driver an absolute path, which it cannot take for a URI (create: %s)',
    async (create) => {
      const path = files.fresh();
      writeFileSync(path, '');
      const given: string[] = [];
      const open = (text: string): never => {
        given.push(text);
        throw new Error('enough was seen');
      };
      const file = { path: relative(process.cwd(), path), create, where: 'here', open };
      await expect(openDatabaseFile(file, () => undefined)).rejects.toThrow('enough was seen');
      expect(given).toEqual([path]);
    },
  );

  it.each(['sqlite3', '__proto__', 'toString', '/tmp/evil.js'])(
    'never loads a driver that is not its own: %s',
    async (name) => {
      const opening = SqliteApiKeyStore.open(':memory:', { driver: name as SqliteDriverName });
      await expect(opening).rejects.toThrow(`is '${name}'. Give one of node:sqlite, better-sqlite3, libsql`);
    },
  );
});

describe('the driver', () => {
  afterEach(() => {
    jest.restoreAllMocks();
    jest.resetModules();
  });

  /** The module with such drivers in the world. */
  async function withDrivers(there: Partial<Record<SqliteDriverName, boolean>>) {
    const opened: string[] = [];
    const pretend = (name: SqliteDriverName) =>
      class {
        constructor() {
          if (there[name] === false) throw new Error(`no native part of ${name}\nsecond line`);
          opened.push(name);
        }
        close(): void {
          /* nothing is open */
        }
      };
    jest
      .spyOn(process, 'getBuiltinModule')
      .mockImplementation((name: string) =>
        name === 'node:sqlite' && there['node:sqlite'] !== undefined
          ? { DatabaseSync: pretend('node:sqlite') }
          : undefined,
      );
    for (const name of ['better-sqlite3', 'libsql'] as const) {
      jest.unstable_mockModule(
        name,
        () => {
          if (there[name] === undefined) throw new Error(`Cannot find package '${name}'`);
          return { default: pretend(name) };
        },
        { virtual: true },
      );
    }
    const { loadSqliteDriver } = await import('../../../src/stores/sqlite/sqlite-driver.js');
    return { loadSqliteDriver, opened };
  }

  it.each([
    [{ 'node:sqlite': true, 'better-sqlite3': true, libsql: true }, 'node:sqlite'],
    [{ 'better-sqlite3': true, libsql: true }, 'better-sqlite3'],
    [{ libsql: true }, 'libsql'],
    // Installed, and without its native part.
    [{ 'better-sqlite3': false, libsql: true }, 'libsql'],
  ] as const)('of %j is %s', async (there, expected) => {
    const { loadSqliteDriver, opened } = await withDrivers(there);
    (await loadSqliteDriver())('/keys.db');
    expect(opened).toEqual([expected, expected]);
  });

  it('is the one that is named', async () => {
    const { loadSqliteDriver, opened } = await withDrivers({ 'node:sqlite': true, libsql: true });
    (await loadSqliteDriver('libsql'))('/keys.db');
    expect(opened).toEqual(['libsql', 'libsql']);
    await expect(loadSqliteDriver('better-sqlite3')).rejects.toThrow("Cannot find package 'better-sqlite3'");
  });

  it('that is missing is asked for by an error with the line to install one', async () => {
    const { loadSqliteDriver, opened } = await withDrivers({ libsql: false });
    const loading = loadSqliteDriver();
    await expect(loading).rejects.toMatchObject({ name: 'KeyfenceConfigurationError' });
    await expect(loading).rejects.toThrow(
      /node:sqlite: not in Node .* better-sqlite3: Cannot find package .* libsql: no native part of libsql\)/,
    );
    await expect(loading).rejects.toThrow('Use Node 22.13 or later, or install one: npm install better-sqlite3');
    expect(opened).toEqual([]);
  });
});
