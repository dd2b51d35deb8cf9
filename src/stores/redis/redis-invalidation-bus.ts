import {
  deliverInvalidation,
  encodeInvalidation,
  KeyInvalidationBus,
  type InvalidationListener,
} from '../../api-key/key-invalidation-bus.js';
import { KeyfenceConfigurationError } from '../../errors/configuration.error.js';
import { DURATION_RULE, parseDuration, type Duration } from '../../time/duration.js';
import { commandsOf, type RedisClient, type SendCommand } from './redis-client.js';
import { ListeningLoop } from './redis-listening-loop.js';
import { subscriptionsOf, type OpenSubscription } from './redis-subscription.js';

export interface RedisInvalidationBusOptions {
  /** The channel of all processes that share a store: 1 to 100 visible ASCII characters. @default 'keyfence:invalidation' */
  readonly channel?: string;
  /**
   * How often it asks Redis for a sign of life on the connection that listens. One that died without a word, as behind a
   * firewall, is noticed 3 seconds after that.
   * @default '10s'
   */
  readonly pingInterval?: Duration;
}

const DEFAULT_CHANNEL = 'keyfence:invalidation';
const CHANNEL = /^[!-~]{1,100}$/;
const DEFAULT_PING_INTERVAL = '10s';
const SHORTEST_PING_INTERVAL_MS = 100;

/**
 * Carries the news of changed keys by Redis publish and subscribe. It sends through the team's client and listens on a
 * connection of its own, a duplicate of it, which `subscribe`'s answer closes. Clients as for `RedisApiKeyStore`.
 *
 * Redis delivers a message at most once, and to whoever listens at that time. So a listener is reset after every
 * reconnection. A connection that breaks is made again after 0.1 seconds, and then at ever longer intervals up to 2 seconds, without end.
 * Whoever may publish on the channel can make caches forget, and no more.
 *
 * @example
 * KeyfenceModule.forRoot({ store, cache: { bus: new RedisInvalidationBus(redis) } })
 */
export class RedisInvalidationBus extends KeyInvalidationBus {
  readonly #channel: string;
  readonly #pingInterval: number;
  readonly #send: SendCommand;
  readonly #open: OpenSubscription;

  /** @throws KeyfenceConfigurationError for a bad channel or interval, and for a client that cannot subscribe */
  constructor(client: RedisClient, options: RedisInvalidationBusOptions = {}) {
    super();
    const { channel = DEFAULT_CHANNEL, pingInterval = DEFAULT_PING_INTERVAL } = options;
    this.#channel = requireChannel(channel);
    this.#pingInterval = requireInterval(pingInterval);
    this.#send = commandsOf(client, 'RedisInvalidationBus');
    this.#open = subscriptionsOf(client, 'RedisInvalidationBus');
  }

  async publish(locators: readonly string[]): Promise<void> {
    await Promise.all(encodeInvalidation(locators).map((text) => this.#send(['PUBLISH', this.#channel, text])));
  }

  async subscribe(listener: InvalidationListener): Promise<() => Promise<void>> {
    // What is on its way when it stops may still come.
    let stopped = false;
    const loop = new ListeningLoop({
      pingInterval: this.#pingInterval,
      open: (lost) =>
        this.#open(this.#channel, {
          lost,
          message: (text) => {
            if (!stopped) deliverInvalidation(text, listener);
          },
        }),
      onGap: () => {
        listener.reset();
      },
    });
    await loop.start();
    return () => {
      stopped = true;
      loop.stop();
      return Promise.resolve();
    };
  }
}

function requireChannel(channel: string): string {
  if (typeof channel === 'string' && CHANNEL.test(channel)) return channel;
  throw new KeyfenceConfigurationError(
    'RedisInvalidationBus: channel',
    `is '${channel}'`,
    'Give 1 to 100 visible ASCII characters.',
  );
}

function requireInterval(interval: Duration): number {
  const milliseconds = parseDuration(interval);
  if (milliseconds !== undefined && milliseconds >= SHORTEST_PING_INTERVAL_MS) return milliseconds;
  throw new KeyfenceConfigurationError(
    'RedisInvalidationBus: pingInterval',
    `is '${interval}'`,
    `Give ${SHORTEST_PING_INTERVAL_MS} ms at least; ${DURATION_RULE}.`,
  );
}
