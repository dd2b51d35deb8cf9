import { ApiKeyService, KeyfenceEvents, KeyInvalidation, type KeyfenceOptions } from 'nestjs-keyfence';
import { ApiKeyAuthenticator, DeferredKeyWrites, KeyCache, resolveOptions, SystemClock } from './internals.js';

export type BenchAuthenticator = InstanceType<typeof ApiKeyAuthenticator>;
export type BenchRequest = Parameters<BenchAuthenticator['authenticate']>[0];

/** What the module makes of its options, without Nest: one process of an application. */
export class KeyServices {
  readonly authenticator: BenchAuthenticator;
  readonly service: ApiKeyService;
  readonly cache: InstanceType<typeof KeyCache>;
  readonly writes: InstanceType<typeof DeferredKeyWrites>;
  readonly #invalidation: KeyInvalidation;

  constructor(options: KeyfenceOptions) {
    const { store, apiKey } = resolveOptions(options);
    const clock = new SystemClock();
    const events = new KeyfenceEvents();
    const cache = new KeyCache(apiKey.cache, clock);
    this.cache = cache;
    this.writes = new DeferredKeyWrites(store, clock, cache, events);
    this.#invalidation = new KeyInvalidation(cache, apiKey, events, clock);
    this.authenticator = new ApiKeyAuthenticator(store, apiKey, clock, cache, this.writes, events);
    this.service = new ApiKeyService(store, apiKey, clock, this.#invalidation, events);
  }

  /** Listens to the bus, if there is one. */
  async start(): Promise<void> {
    await this.#invalidation.onModuleInit();
  }

  async stop(): Promise<void> {
    await this.writes.onModuleDestroy();
    await this.#invalidation.onApplicationShutdown();
  }
}

export function requestWith(text: string): BenchRequest {
  const headers = { host: 'localhost', 'user-agent': 'benchmark', accept: '*/*', 'x-api-key': text };
  return { headers, rawHeaders: Object.entries(headers).flat() };
}
