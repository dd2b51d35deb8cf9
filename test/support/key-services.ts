import { ApiKeyAuthenticator } from '../../src/api-key/api-key-authenticator.service.js';
import type { ApiKeyOptions } from '../../src/api-key/api-key-options.js';
import { ApiKeyService } from '../../src/api-key/api-key.service.js';
import type { ApiKeyStore } from '../../src/api-key/api-key.store.js';
import { DeferredKeyWrites } from '../../src/api-key/deferred-key-writes.service.js';
import { DenialReporter } from '../../src/api-key/denial-reporter.service.js';
import { KeyCache, type KeyCacheOptions } from '../../src/api-key/key-cache.js';
import { KeyInvalidation } from '../../src/api-key/key-invalidation.service.js';
import { KeyfenceEvents } from '../../src/events/keyfence-events.service.js';
import type { KeyfenceEvent } from '../../src/events/keyfence-event.js';
import type { Authentication } from '../../src/principal/authentication.js';
import { API_KEY_DEFAULTS } from './sample-key.js';
import { TestClock } from './test-clock.js';

/** The cache that the module makes by default; the tests' own default is none. */
export const CACHE_DEFAULTS: KeyCacheOptions = { ttl: 30_000, negativeTtl: 5_000, maxEntries: 10_000 };

/** What the module would make of a store and options, without Nest: one process of an application. */
export class KeyServices {
  readonly options: ApiKeyOptions;
  readonly cache: KeyCache;
  readonly events = new KeyfenceEvents();
  readonly writes: DeferredKeyWrites;
  readonly invalidation: KeyInvalidation;
  readonly denials: DenialReporter;
  readonly authenticator: ApiKeyAuthenticator;
  readonly service: ApiKeyService;
  /** Every event, in order; only from {@link recordEvents} on. */
  readonly recorded: KeyfenceEvent[] = [];

  constructor(
    readonly store: ApiKeyStore,
    options: Partial<ApiKeyOptions> = {},
    readonly clock = new TestClock(),
  ) {
    this.options = { ...API_KEY_DEFAULTS, ...options };
    this.cache = new KeyCache(this.options.cache, clock);
    this.writes = new DeferredKeyWrites(store, clock, this.cache, this.events);
    this.invalidation = new KeyInvalidation(this.cache, this.options, this.events, clock);
    this.denials = new DenialReporter(this.events, this.options, clock);
    this.authenticator = new ApiKeyAuthenticator(store, this.options, clock, this.cache, this.writes, this.events);
    this.service = new ApiKeyService(store, this.options, clock, this.invalidation, this.events);
  }

  /** What a request with this key, or with these headers, is found to be. */
  readonly present = async (text: string, headers: Record<string, string> = { 'x-api-key': text }) =>
    (await this.authenticator.authenticate({ headers }, {})) satisfies Authentication;

  recordEvents(): this {
    this.events.stream.subscribe((event) => this.recorded.push(event));
    return this;
  }
}
