import { Inject, Injectable, Logger, type OnApplicationShutdown, type OnModuleInit } from '@nestjs/common';
import { KeyfenceEvents } from '../events/keyfence-events.service.js';
import { Clock } from '../time/clock.js';
import { API_KEY_OPTIONS, type ApiKeyOptions } from './api-key-options.js';
import { withDeadline } from './deadline.js';
import { KeyCache } from './key-cache.js';

/** Whoever revokes a key waits for the bus no longer; the cache's `ttl` then is what ends the key elsewhere. */
const DEADLINE_MS = 1_000;

/** Makes a change of a key known: in this process at once, in others through the bus of the option `cache.bus`. */
@Injectable()
export class KeyInvalidation implements OnModuleInit, OnApplicationShutdown {
  #unsubscribe: (() => Promise<void>) | undefined;

  constructor(
    private readonly cache: KeyCache,
    @Inject(API_KEY_OPTIONS) private readonly options: ApiKeyOptions,
    private readonly events: KeyfenceEvents,
    private readonly clock: Clock,
  ) {}

  /** A bus that is down holds up neither the boot nor the end of the application. */
  async onModuleInit(): Promise<void> {
    const { bus } = this.options;
    if (bus === undefined) return;
    await this.#attempt('cannot be listened to', async () => {
      this.#unsubscribe = await bus.subscribe(this.cache);
    });
  }

  async onApplicationShutdown(): Promise<void> {
    await this.#attempt('cannot be left', async () => this.#unsubscribe?.());
  }

  /**
   * What is cached of these keys is no longer true. `ApiKeyService` does this by itself; call it after your own code
   * changed a key in the store. Never rejects: a bus that fails is an event, `invalidation_failed`, and is logged.
   * @param locators the `locator` of each record
   */
  async invalidate(locators: readonly string[]): Promise<void> {
    this.cache.invalidate(locators);
    const { bus } = this.options;
    if (bus !== undefined) await this.#attempt('failed', async () => bus.publish(locators));
  }

  async #attempt(failure: string, attempt: () => Promise<void>): Promise<void> {
    try {
      await withDeadline(attempt(), DEADLINE_MS);
    } catch (error) {
      const reason = error instanceof Error ? error.name : typeof error;
      this.events.emit(() => ({ type: 'invalidation_failed', at: new Date(this.clock.now()), reason }));
      new Logger('Keyfence').error(
        `The invalidation bus ${failure} (${reason}): processes may honour a changed key until their cache's ttl is over.`,
      );
    }
  }
}
