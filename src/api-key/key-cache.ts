import { LRUCache } from 'lru-cache';
import type { Clock } from '../time/clock.js';
import type { VerifiableRecord } from './api-key-record.js';

/** What the store has under a locator. */
export type StoredKey =
  | { readonly status: 'found'; readonly record: VerifiableRecord }
  | { readonly status: 'absent' }
  /** A record that is not sound: nobody gets in with it. */
  | { readonly status: 'refused' };

export interface KeyCacheOptions {
  /** How long a record is believed, in milliseconds. */
  readonly ttl: number;
  /** How long it is believed that there is none. */
  readonly negativeTtl: number;
  /** Of each: records, and locators without one. A flood of unknown keys pushes out no known one. */
  readonly maxEntries: number;
}

interface Question {
  readonly start: number;
  readonly answer: Promise<StoredKey>;
}

/** The least recently used cache takes 0 for "not timed", so that no clock may say it. */
function now(clock: Clock): number {
  return clock.monotonic() + 1;
}

/**
 * Remembers what the store answered, and asks it once for all who wait for the same key.
 *
 * An answer is believed for `ttl` from the moment the store was asked. One that was asked for before the key was
 * forgotten is given to those who waited for it and is not remembered, so a late answer never brings a revoked key back.
 */
export class KeyCache {
  readonly #known: LRUCache<string, StoredKey> | undefined;
  readonly #unknown: LRUCache<string, StoredKey> | undefined;
  readonly #pending = new Map<string, Question>();
  /** How old a question may be to be shared: an answer counts from when it was asked for. */
  readonly #shareFor: number;
  readonly #clock: Clock;

  /** @param options `undefined`: nothing is remembered */
  constructor(options: KeyCacheOptions | undefined, clock: Clock) {
    this.#clock = clock;
    this.#shareFor = options?.ttl ?? 0;
    if (options === undefined) return;
    this.#known = entries(options.maxEntries, options.ttl, clock);
    this.#unknown = entries(options.maxEntries, options.negativeTtl, clock);
  }

  /**
   * What is under a locator, at once where it is remembered.
   * @param ask asks the store; what it rejects with, the promise rejects with, and nothing is remembered
   */
  find(locator: string, ask: (locator: string) => Promise<StoredKey>): StoredKey | Promise<StoredKey> {
    const remembered = this.#known?.get(locator) ?? this.#unknown?.get(locator);
    if (remembered !== undefined) return remembered;
    const start = now(this.#clock);
    const pending = this.#pending.get(locator);
    return pending !== undefined && start - pending.start <= this.#shareFor
      ? pending.answer
      : this.#ask(locator, start, ask);
  }

  /** What is remembered of these locators is no longer true. */
  invalidate(locators: readonly string[]): void {
    for (const locator of locators) {
      this.#known?.delete(locator);
      this.#unknown?.delete(locator);
      this.#pending.delete(locator);
    }
  }

  /** Nothing that is remembered is sure. */
  reset(): void {
    this.#known?.clear();
    this.#unknown?.clear();
    this.#pending.clear();
  }

  #ask(locator: string, start: number, ask: (locator: string) => Promise<StoredKey>): Promise<StoredKey> {
    const answer: Promise<StoredKey> = ask(locator).then(
      (found) => {
        // Unless it was forgotten meanwhile, this question is still the one that is noted.
        if (this.#pending.get(locator)?.answer === answer) {
          this.#pending.delete(locator);
          (found.status === 'found' ? this.#known : this.#unknown)?.set(locator, found, { start });
        }
        return found;
      },
      (error: unknown) => {
        if (this.#pending.get(locator)?.answer === answer) this.#pending.delete(locator);
        throw error;
      },
    );
    this.#pending.set(locator, { start, answer });
    return answer;
  }
}

function entries(max: number, ttl: number, clock: Clock): LRUCache<string, StoredKey> | undefined {
  if (ttl === 0) return undefined;
  // With a resolution of 0 the age is measured at every look, and no timer is needed.
  return new LRUCache({ max, ttl, ttlResolution: 0, perf: { now: () => now(clock) } });
}
