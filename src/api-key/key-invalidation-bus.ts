/** Who is told of keys that changed in another process. */
export interface InvalidationListener {
  /** What is known of these locators is no longer true. */
  invalidate(locators: readonly string[]): void;
  /** Messages may have been missed, or one could not be read: nothing that is known is sure. */
  reset(): void;
}

/**
 * Carries the news that a key changed to the other processes that cache it: a port, with implementations in
 * `nestjs-keyfence/redis` and `nestjs-keyfence/postgres`. It can only make caches forget, so whoever can write to it can
 * cost time and grant nothing. Where it fails, the cache's `ttl` is what bounds the life of a revoked key.
 */
export abstract class KeyInvalidationBus {
  /** Resolves when the message is on its way. Rejects if it could not be sent. */
  abstract publish(locators: readonly string[]): Promise<void>;

  /**
   * Starts to listen. It reconnects by itself, and calls `reset()` whenever it was not listening for a while: after every
   * reconnection. Resolves when the first attempt to connect has ended, well or not.
   * @returns what stops it
   */
  abstract subscribe(listener: InvalidationListener): Promise<() => Promise<void>>;
}

/** Joins several applications in one process, such as a gateway's two Nest applications or those of a test. */
export class InProcessInvalidationBus extends KeyInvalidationBus {
  readonly #listeners = new Set<InvalidationListener>();

  publish(locators: readonly string[]): Promise<void> {
    for (const listener of this.#listeners) listener.invalidate(locators);
    return Promise.resolve();
  }

  subscribe(listener: InvalidationListener): Promise<() => Promise<void>> {
    this.#listeners.add(listener);
    return Promise.resolve(() => {
      this.#listeners.delete(listener);
      return Promise.resolve();
    });
  }
}

/** The longest message that {@link encodeInvalidation} makes: PostgreSQL takes less than 8000 bytes. */
const MAX_LOCATORS = 100;
const LOCATOR = /^[0-9A-Za-z_-]{1,64}$/;

/** Locators as texts to send, as many as are needed. */
export function encodeInvalidation(locators: readonly string[]): string[] {
  const messages: string[] = [];
  for (let start = 0; start < locators.length; start += MAX_LOCATORS) {
    messages.push(locators.slice(start, start + MAX_LOCATORS).join(' '));
  }
  return messages;
}

/** Hands a text that arrived to a listener; one that is no such message makes it forget everything. */
export function deliverInvalidation(message: unknown, listener: InvalidationListener): void {
  const locators = typeof message === 'string' ? message.split(' ') : [];
  if (locators.length > 0 && locators.length <= MAX_LOCATORS && locators.every((locator) => LOCATOR.test(locator))) {
    listener.invalidate(locators);
  } else {
    listener.reset();
  }
}
