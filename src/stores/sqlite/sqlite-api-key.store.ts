import type { ApiKeyRecord, StoredApiKey } from '../../api-key/api-key-record.js';
import {
  ManagedApiKeyStore,
  type DigestChange,
  type KeyPage,
  type KeyUse,
  type ListKeysQuery,
} from '../../api-key/api-key.store.js';
import { KeyfenceConfigurationError } from '../../errors/configuration.error.js';
import type { TenantId } from '../../principal/tenant-id.js';
import { IN_MEMORY, openDatabaseFile } from './database-file.js';
import { FIELDS, readRow, readSoundRow, toColumns, toTime } from './key-row.js';
import { cursorAfter, readCursor } from './list-cursor.js';
import { migrate, requireSchema } from './migrate.js';
import { loadSqliteDriver, type SqliteConnection, type SqliteDriverName } from './sqlite-driver.js';
import { prepareStatements, ROTATED, UPDATED, type Statements } from './statements.js';
import { inTransaction } from './transaction.js';

export interface SqliteOptions {
  /** Whether to make the file and the tables that are missing. `false`: what is missing is an error. @default true */
  readonly migrate?: boolean;
  /** @default the first that works of `node:sqlite`, `better-sqlite3` and `libsql` */
  readonly driver?: SqliteDriverName;
}

/** Above every integer that a column can hold. */
const NO_TIME_LIMIT = 2 ** 63;

/**
 * Keeps records in an SQLite file, for applications that run on one machine; several processes may share the file, on a local
 * disk (its write-ahead log needs shared memory). The file may also hold other tables.
 *
 * The drivers are synchronous. A lookup takes some microseconds of the event loop; a write takes a write to the disk, and waits
 * for another process that is writing, 2 seconds at most. When a write's promise resolves it is on the disk: neither a kill nor
 * a power cut takes it back, as far as the disk keeps its word.
 *
 * A row that somebody has damaged denies its key; to read it in any other way throws an Error that names the column.
 */
export class SqliteApiKeyStore extends ManagedApiKeyStore {
  override readonly volatile: boolean;
  readonly #connection: SqliteConnection;
  readonly #statements: Statements;
  #closed = false;

  /** @internal Use {@link SqliteApiKeyStore.open}. */
  constructor(connection: SqliteConnection, volatile: boolean) {
    super();
    this.volatile = volatile;
    this.#connection = connection;
    this.#statements = prepareStatements(connection);
  }

  /**
   * Opens the file, and makes it if it is not there, readable for this user alone. Every process of an application may do so at
   * the same time.
   * @param path of a file in a folder that exists, or `:memory:`
   * @throws KeyfenceConfigurationError if no driver is there, what is at the path cannot be opened, or its schema is newer than
   * this release
   * @example
   * KeyfenceModule.forRootAsync({ useFactory: async () => ({ store: await SqliteApiKeyStore.open('/var/lib/app/keys.db') }) })
   */
  static async open(path: string, options: SqliteOptions = {}): Promise<SqliteApiKeyStore> {
    requirePath(path);
    const { migrate: create = true, driver } = options;
    const where = `SqliteApiKeyStore.open('${path}')`;
    const file = { path, create, where, open: await loadSqliteDriver(driver) };
    const connection = await openDatabaseFile(file, (opened) => {
      (create ? migrate : requireSchema)(opened, where);
    });
    return new SqliteApiKeyStore(connection, path === IN_MEMORY);
  }

  /** Closes the file. Whatever is asked afterwards rejects. A process that ends need not do it: nothing is lost. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#connection.close();
  }

  findByLocator(locator: string): Promise<StoredApiKey | null> {
    return this.#do(({ findByLocator }) => {
      const [row] = findByLocator.all(locator);
      return row === undefined ? null : readRow(row);
    });
  }

  insert(record: ApiKeyRecord): Promise<boolean> {
    return this.#do(({ insert }) => insert.run(...toColumns(record, FIELDS)) === 1);
  }

  findById(tenantId: TenantId, id: string): Promise<ApiKeyRecord | null> {
    return this.#do((statements) => findRecord(statements, tenantId, id));
  }

  list(tenantId: TenantId, query: ListKeysQuery): Promise<KeyPage> {
    const { limit, cursor, includeRevoked, createdBefore, unusedSince } = query;
    return this.#do(({ list }) => {
      const after = readCursor(cursor);
      const rows = list.all(
        tenantId,
        after.createdAt,
        after.id,
        includeRevoked ? 1 : 0,
        createdBefore === undefined ? NO_TIME_LIMIT : toTime(createdBefore),
        unusedSince === undefined ? NO_TIME_LIMIT : toTime(unusedSince),
        // One more tells whether there is a next page.
        limit + 1,
      );
      const items = rows.slice(0, limit).map(readSoundRow);
      const last = items.at(-1);
      return { items, next: rows.length > limit && last !== undefined ? cursorAfter(last) : undefined };
    });
  }

  revoke(tenantId: TenantId, id: string, at: Date): Promise<ApiKeyRecord | null> {
    return this.#do((statements) => {
      const [row] = statements.revoke.all(toTime(at), tenantId, id);
      // Nothing to do: it was revoked before, which nobody takes back, or is not there.
      return row === undefined ? findRecord(statements, tenantId, id) : readSoundRow(row);
    });
  }

  update(record: ApiKeyRecord): Promise<boolean> {
    return this.#do(({ update }) => update.run(...toColumns(record, UPDATED), ...unchanged(record)) === 1);
  }

  rotate(old: ApiKeyRecord, successor: ApiKeyRecord): Promise<boolean> {
    return this.#do(({ replace, insert }) =>
      inTransaction(
        this.#connection,
        () =>
          replace.run(...toColumns(old, ROTATED), ...unchanged(old)) === 1 &&
          insert.run(...toColumns(successor, FIELDS)) === 1,
      ),
    );
  }

  recordUses(uses: readonly KeyUse[]): Promise<void> {
    return this.#do(({ recordUses }) => {
      if (uses.length > 0) recordUses.run(JSON.stringify(uses.map(({ id, at }) => [id, toTime(at)])));
    });
  }

  replaceDigests(changes: readonly DigestChange[]): Promise<void> {
    return this.#do(({ replaceDigest }) => {
      if (changes.length === 0) return;
      inTransaction(this.#connection, () => {
        for (const { id, from, digest, digestVersion } of changes) replaceDigest.run(digest, digestVersion, id, from);
        return true;
      });
    });
  }

  prune(deadBefore: Date, limit: number): Promise<number> {
    return this.#do(({ prune }) => {
      const time = toTime(deadBefore);
      // SQLite takes a negative limit for none.
      return prune.run(time, time, time, Math.max(0, limit));
    });
  }

  /** What a driver throws becomes a rejection. */
  #do<T>(work: (statements: Statements) => T): Promise<T> {
    return new Promise((resolve) => {
      if (this.#closed) throw new Error('Keyfence: this SqliteApiKeyStore was closed');
      resolve(work(this.#statements));
    });
  }
}

function findRecord({ findById }: Statements, tenantId: TenantId, id: string): ApiKeyRecord | null {
  const [row] = findById.all(tenantId, id);
  return row === undefined ? null : readSoundRow(row);
}

function unchanged({ id, tenantId, version }: ApiKeyRecord): [string, string, number] {
  return [id, tenantId, version];
}

function requirePath(path: unknown): void {
  if (typeof path === 'string' && path !== '' && !path.includes('\0')) return;
  throw new KeyfenceConfigurationError(
    'SqliteApiKeyStore.open(path)',
    path === '' ? 'is empty' : 'is no path',
    'Give the path of a file. Is the environment variable that holds it set?',
  );
}
