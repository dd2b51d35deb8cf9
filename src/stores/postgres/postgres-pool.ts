/** One statement with its values, as `pg` takes it. */
export interface PostgresQuery {
  /** Prepares the statement by this name on each connection. */
  readonly name?: string;
  readonly text: string;
  readonly values?: unknown[];
  /** Milliseconds after which the driver gives a statement up and closes its connection. */
  readonly query_timeout?: number;
}

export interface PostgresResult {
  readonly rows: readonly object[];
  readonly rowCount: number | null;
}

/** What is used of a client of a `pg` pool. */
export interface PostgresClient {
  query(query: PostgresQuery): Promise<PostgresResult>;
  /** Gives it back to the pool; `true` closes it. */
  release(destroy?: boolean): void;
  on(event: 'notification', listener: (message: PostgresNotification) => void): unknown;
  on(event: 'error', listener: (error: Error) => void): unknown;
  on(event: 'end', listener: () => void): unknown;
  removeListener(event: 'error', listener: (error: Error) => void): unknown;
}

export interface PostgresNotification {
  readonly channel: string;
  readonly payload?: string;
}

/** What is used of the team's own `Pool` of `pg` 8: every such pool fits. */
export interface PostgresPool {
  /** True from the moment that `end()` was called. */
  readonly ending?: boolean;
  query(query: PostgresQuery): Promise<PostgresResult>;
  connect(): Promise<PostgresClient>;
  on(event: 'error', listener: (error: Error) => void): unknown;
}

/**
 * A peer that vanished without a word would keep its connection, and in the end every one of the pool, for as long as TCP
 * tries: about 15 minutes. The driver ends such a statement on this side; the server's `statement_timeout` is the team's.
 */
export const QUERY_TIMEOUT_MS = 5_000;

const TOLERATED = new WeakSet<PostgresPool>();

/**
 * An idle connection that breaks is reported as `error` of the pool, and would end a process in which nobody listens: the
 * pool replaces it by itself. Listeners of the team's are called as before.
 */
export function tolerateIdleErrors(pool: PostgresPool): void {
  if (TOLERATED.has(pool)) return;
  TOLERATED.add(pool);
  pool.on('error', () => undefined);
}

/** The SQLSTATE of an error, such as `23505`. */
export function sqlStateOf(error: unknown): string | undefined {
  const code: unknown = typeof error === 'object' && error !== null && 'code' in error ? error.code : undefined;
  return typeof code === 'string' ? code : undefined;
}
