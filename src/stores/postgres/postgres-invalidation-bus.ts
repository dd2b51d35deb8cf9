import {
  deliverInvalidation,
  encodeInvalidation,
  KeyInvalidationBus,
  type InvalidationListener,
} from '../../api-key/key-invalidation-bus.js';
import { KeyfenceConfigurationError } from '../../errors/configuration.error.js';
import { DURATION_RULE, parseDuration, type Duration } from '../../time/duration.js';
import { PostgresListener } from './postgres-listener.js';
import { QUERY_TIMEOUT_MS, tolerateIdleErrors, type PostgresPool } from './postgres-pool.js';
import { parseIdentifier } from './postgres-table.js';

export interface PostgresInvalidationBusOptions {
  /** Processes of different applications in one database take different ones. @default 'keyfence_invalidation' */
  readonly channel?: string;
  /** How often a listening connection is asked whether it still lives, from 1 second. @default '15s' */
  readonly keepAlive?: Duration;
}

const DEFAULT_CHANNEL = 'keyfence_invalidation';
const DEFAULT_KEEP_ALIVE = '15s';
const MIN_KEEP_ALIVE_MS = 1_000;

/**
 * Carries invalidations by LISTEN and NOTIFY of PostgreSQL. Each `subscribe` holds one connection of the pool until it is
 * stopped, or until the pool ends: give the pool one more. It needs a connection of its own to the server, which PgBouncer
 * gives only with `pool_mode = session`.
 *
 * Every role that may connect to the database can send to the channel, and can only make caches forget.
 */
export class PostgresInvalidationBus extends KeyInvalidationBus {
  readonly #pool: PostgresPool;
  readonly #channel: string;
  readonly #keepAlive: number;

  /** @throws KeyfenceConfigurationError for a channel that is no plain identifier, or a bad duration */
  constructor(pool: PostgresPool, options: PostgresInvalidationBusOptions = {}) {
    super();
    const { channel = DEFAULT_CHANNEL, keepAlive = DEFAULT_KEEP_ALIVE } = options;
    this.#pool = pool;
    this.#channel = parseIdentifier('PostgresInvalidationBus: channel', channel);
    this.#keepAlive = parseKeepAlive(keepAlive);
    tolerateIdleErrors(pool);
  }

  async publish(locators: readonly string[]): Promise<void> {
    const messages = encodeInvalidation(locators);
    if (messages.length === 0) return;
    await this.#pool.query({
      text: 'select pg_notify($1, message) from unnest($2::text[]) as message',
      values: [this.#channel, messages],
      query_timeout: QUERY_TIMEOUT_MS,
    });
  }

  async subscribe(listener: InvalidationListener): Promise<() => Promise<void>> {
    const connection = new PostgresListener(this.#pool, {
      channel: this.#channel,
      keepAlive: this.#keepAlive,
      onMessage: (payload) => {
        deliverInvalidation(payload, listener);
      },
      onReconnect: () => {
        listener.reset();
      },
    });
    await connection.start();
    return () => connection.stop();
  }
}

function parseKeepAlive(value: Duration): number {
  const milliseconds = parseDuration(value);
  if (milliseconds !== undefined && milliseconds >= MIN_KEEP_ALIVE_MS) return milliseconds;
  throw new KeyfenceConfigurationError(
    'PostgresInvalidationBus: keepAlive',
    `is '${value}'`,
    `Give 1 second or more. Rule: ${DURATION_RULE}.`,
  );
}
