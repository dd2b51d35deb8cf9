import { withDeadline } from '../../api-key/deadline.js';
import { QUERY_TIMEOUT_MS, type PostgresClient, type PostgresPool } from './postgres-pool.js';

export interface PostgresListenerOptions {
  /** A plain identifier. */
  readonly channel: string;
  /** Milliseconds between two questions whether the connection still lives. */
  readonly keepAlive: number;
  onMessage(payload: string | undefined): void;
  /** It listens again, or for the first time after an attempt that failed: messages may have been missed. */
  onReconnect(): void;
}

/** The boot waits for the first attempt, so that no attempt may take for ever. */
const CONNECT_TIMEOUT_MS = 5_000;
const FIRST_DELAY_MS = 100;
const MAX_DELAY_MS = 10_000;
/** How often is looked whether the pool is ending: `pool.end()` waits until every connection is given back. */
const TICK_MS = 500;

/** One connection that listens on a channel, and a new one whenever it is lost. */
export class PostgresListener {
  readonly #pool: PostgresPool;
  readonly #options: PostgresListenerOptions;
  #client: PostgresClient | undefined;
  #connecting: Promise<void> | undefined;
  #retry: NodeJS.Timeout | undefined;
  #tick: NodeJS.Timeout | undefined;
  #askedAt = 0;
  #failures = 0;
  #connectedOnce = false;
  #stopped = false;

  constructor(pool: PostgresPool, options: PostgresListenerOptions) {
    this.#pool = pool;
    this.#options = options;
  }

  /** Resolves when the first attempt has ended, well or not. */
  async start(): Promise<void> {
    await this.#connect();
  }

  /** Closes the connection. When it resolves, nothing is delivered any more. */
  async stop(): Promise<void> {
    this.#stopped = true;
    clearTimeout(this.#retry);
    this.#drop(this.#client);
    await this.#connecting;
  }

  #connect(): Promise<void> {
    this.#connecting = this.#tryToConnect();
    return this.#connecting;
  }

  async #tryToConnect(): Promise<void> {
    let client: PostgresClient | undefined;
    try {
      client = await this.#takeClient();
      this.#watch(client);
      await client.query({ text: `listen "${this.#options.channel}"`, query_timeout: QUERY_TIMEOUT_MS });
    } catch {
      if (client === undefined) this.#retryLater();
      else this.#lose(client);
      return;
    }
    if (this.#client === client) this.#connected();
  }

  /** A client that comes after the deadline is closed. */
  async #takeClient(): Promise<PostgresClient> {
    const taken = this.#pool.connect();
    try {
      return await withDeadline(taken, CONNECT_TIMEOUT_MS);
    } catch (error) {
      taken.then(
        (late) => {
          late.release(true);
        },
        () => undefined,
      );
      throw error;
    }
  }

  #watch(client: PostgresClient): void {
    // First of all: an error of a connection that is taken from the pool is nobody else's, and would end the process.
    client.on('error', () => {
      this.#lose(client);
    });
    client.on('end', () => {
      this.#lose(client);
    });
    client.on('notification', ({ channel, payload }) => {
      if (this.#client === client && channel === this.#options.channel) this.#options.onMessage(payload);
    });
    this.#client = client;
    if (this.#stopped) this.#drop(client);
  }

  #connected(): void {
    const missed = this.#connectedOnce || this.#failures > 0;
    this.#connectedOnce = true;
    this.#failures = 0;
    this.#askedAt = performance.now();
    this.#tick = setInterval(() => void this.#check(), TICK_MS).unref();
    if (missed) this.#options.onReconnect();
  }

  /** A peer that vanished without a word is noticed only by asking it. */
  async #check(): Promise<void> {
    const client = this.#client;
    if (client === undefined) return;
    if (this.#pool.ending === true) {
      await this.stop();
      return;
    }
    if (performance.now() - this.#askedAt < this.#options.keepAlive) return;
    // Not again before this one is answered.
    this.#askedAt = Infinity;
    try {
      await client.query({ text: 'select 1', query_timeout: QUERY_TIMEOUT_MS });
      if (this.#client === client) this.#askedAt = performance.now();
    } catch {
      this.#lose(client);
    }
  }

  #lose(client: PostgresClient): void {
    if (this.#client !== client) return;
    this.#drop(client);
    this.#retryLater();
  }

  /** A connection that listens must not go back into the pool. */
  #drop(client: PostgresClient | undefined): void {
    if (client === undefined) return;
    this.#client = undefined;
    clearInterval(this.#tick);
    client.release(true);
  }

  /** Later each time, and not in step with the other processes that lost the same server. */
  #retryLater(): void {
    if (this.#stopped || this.#pool.ending === true) return;
    const delay = Math.min(FIRST_DELAY_MS * 2 ** this.#failures, MAX_DELAY_MS);
    this.#failures += 1;
    this.#retry = setTimeout(() => void this.#connect(), delay * (0.5 + Math.random() / 2)).unref();
  }
}
