import { Logger } from '@nestjs/common';
import type { ApiKeyRecord } from '../../api-key/api-key-record.js';
import {
  ManagedApiKeyStore,
  type DigestChange,
  type KeyPage,
  type KeyUse,
  type ListKeysQuery,
} from '../../api-key/api-key.store.js';
import type { TenantId } from '../../principal/tenant-id.js';
import { migratePostgres, postgresSchemaVersion, requireVersion } from './migrate-postgres.js';
import { writeCursor } from './postgres-cursor.js';
import { cureOf, isTransient } from './postgres-faults.js';
import {
  QUERY_TIMEOUT_MS,
  sqlStateOf,
  tolerateIdleErrors,
  type PostgresPool,
  type PostgresQuery,
  type PostgresResult,
} from './postgres-pool.js';
import { fromRow } from './postgres-row.js';
import { PostgresStatements } from './postgres-statements.js';
import { parsePostgresTable, type PostgresTable, type PostgresTableOptions } from './postgres-table.js';
import { isStorable } from './postgres-text.js';

export interface PostgresApiKeyStoreOptions extends PostgresTableOptions {
  /**
   * Prepares the lookup on each connection, which takes less than half the time then. Not behind a PgBouncer in transaction
   * mode, unless its `max_prepared_statements` is set: lookups would fail there.
   * @default false
   */
  readonly preparedLookup?: boolean;
}

/** How often a statement is tried that lost against another one. It waited for that one, so that each try gets further. */
const ATTEMPTS = 10;
/** A set-up that is wrong is so for every request; the log needs to say it once in a while. */
const HINT_INTERVAL_MS = 10_000;

/**
 * Keeps keys in PostgreSQL 12 or later, in a table of its own, through the team's pool of `pg`. Every method is one
 * statement, which is one round trip and atomic. What the database or the driver throws is thrown on; a statement that takes
 * longer than 5 seconds is given up. Set the pool's `connectionTimeoutMillis`, without which `pg` waits for a connection for
 * ever.
 *
 * @example
 * const store = new PostgresApiKeyStore(new Pool({ connectionString, connectionTimeoutMillis: 2_000 }));
 * await store.migrate();
 */
export class PostgresApiKeyStore extends ManagedApiKeyStore {
  readonly #pool: PostgresPool;
  readonly #table: PostgresTable;
  readonly #statements: PostgresStatements;
  #hintedAt = -Infinity;

  /** @throws KeyfenceConfigurationError for a table or schema that is no plain identifier */
  constructor(pool: PostgresPool, options: PostgresApiKeyStoreOptions = {}) {
    super();
    this.#pool = pool;
    this.#table = parsePostgresTable(options);
    this.#statements = new PostgresStatements(this.#table, options.preparedLookup ?? false);
    tolerateIdleErrors(pool);
  }

  /**
   * Makes or updates the table, all or nothing. Safe to call at every start, in several processes at once: it does nothing
   * if nothing is missing. The role must be allowed to create tables; for another role see {@link assertMigrated}.
   * @returns the versions that were applied
   * @throws KeyfenceConfigurationError if the table is newer than this package
   */
  migrate(): Promise<readonly number[]> {
    return this.#explained(() => migratePostgres(this.#pool, this.#table));
  }

  /**
   * Checks that the table is there and of the version that this package needs; call it at the start, where another role
   * migrates. Reads the table of migrations.
   * @throws KeyfenceConfigurationError that says what to do
   */
  async assertMigrated(): Promise<void> {
    requireVersion(await this.#explained(() => postgresSchemaVersion(this.#pool, this.#table)), this.#table);
  }

  async findByLocator(locator: string): Promise<ApiKeyRecord | null> {
    if (!isStorable(locator)) return null;
    return firstRecord(await this.#ask(this.#statements.findByLocator(locator)));
  }

  async findById(tenantId: TenantId, id: string): Promise<ApiKeyRecord | null> {
    if (!isStorable(id)) return null;
    return firstRecord(await this.#ask(this.#statements.findById(tenantId, id)));
  }

  async list(tenantId: TenantId, query: ListKeysQuery): Promise<KeyPage> {
    const { rows } = await this.#ask(this.#statements.list(tenantId, query));
    const items = rows.slice(0, query.limit).map(fromRow);
    const last = items.at(-1);
    return rows.length > items.length && last !== undefined ? { items, next: writeCursor(last) } : { items };
  }

  async insert(record: ApiKeyRecord): Promise<boolean> {
    return (await this.#write(this.#statements.insert(record))).rowCount === 1;
  }

  async revoke(tenantId: TenantId, id: string, at: Date): Promise<ApiKeyRecord | null> {
    if (!isStorable(id)) return null;
    return firstRecord(await this.#write(this.#statements.revoke(tenantId, id, at)));
  }

  async update(record: ApiKeyRecord): Promise<boolean> {
    return (await this.#write(this.#statements.update(record))).rowCount === 1;
  }

  async rotate(old: ApiKeyRecord, successor: ApiKeyRecord): Promise<boolean> {
    try {
      return (await this.#write(this.#statements.rotate(old, successor))).rowCount === 1;
    } catch (error) {
      // The successor's id or locator is taken, and the whole statement was undone.
      if (sqlStateOf(error) === '23505') return false;
      throw error;
    }
  }

  async recordUses(uses: readonly KeyUse[]): Promise<void> {
    if (uses.length > 0) await this.#write(this.#statements.recordUses(uses));
  }

  async replaceDigests(changes: readonly DigestChange[]): Promise<void> {
    if (changes.length > 0) await this.#write(this.#statements.replaceDigests(changes));
  }

  async prune(deadBefore: Date, limit: number): Promise<number> {
    return (await this.#write(this.#statements.prune(deadBefore, limit))).rowCount ?? 0;
  }

  #ask(query: PostgresQuery): Promise<PostgresResult> {
    return this.#explained(() => this.#pool.query({ ...query, query_timeout: QUERY_TIMEOUT_MS }));
  }

  /** Again, if the database undid it as a whole in favour of another statement. */
  async #write(query: PostgresQuery): Promise<PostgresResult> {
    for (let attempt = 1; ; attempt += 1) {
      try {
        return await this.#ask(query);
      } catch (error) {
        if (attempt === ATTEMPTS || !isTransient(error)) throw error;
      }
    }
  }

  /** Callers learn only that the store failed; whoever reads the log learns what to do about it. */
  async #explained<T>(run: () => Promise<T>): Promise<T> {
    try {
      return await run();
    } catch (error) {
      const cure = cureOf(error, this.#table.keys);
      const now = performance.now();
      if (cure !== undefined && now - this.#hintedAt >= HINT_INTERVAL_MS) {
        this.#hintedAt = now;
        new Logger('Keyfence').error(`PostgresApiKeyStore: ${cure}`);
      }
      throw error;
    }
  }
}

function firstRecord({ rows: [row] }: PostgresResult): ApiKeyRecord | null {
  return row === undefined ? null : fromRow(row);
}
