import { Injectable, type OnApplicationShutdown, type OnModuleDestroy } from '@nestjs/common';
import { KeyfenceEvents } from '../events/keyfence-events.service.js';
import { Clock } from '../time/clock.js';
import type { VerifiableRecord } from './api-key-record.js';
import { ApiKeyStore, ManagedApiKeyStore, type DigestChange, type KeyUse } from './api-key.store.js';
import { BatchWriter } from './batch-writer.js';
import { withDeadline } from './deadline.js';
import { KeyCache } from './key-cache.js';

/** How often uses and new digests are written, at most. A process that is killed loses the uses of that time. */
const INTERVAL_MS = 10_000;
const MAX_WAITING = 10_000;
const DEADLINE_MS = 3_000;

/**
 * What verification learns and no caller waits for: that a key was used, and its digest with the current pepper. Both are
 * written in batches, and when the application ends. They touch no field of the life cycle.
 */
@Injectable()
export class DeferredKeyWrites implements OnModuleDestroy, OnApplicationShutdown {
  readonly #uses: BatchWriter<number> | undefined;
  readonly #digests: BatchWriter<DigestChange & { readonly locator: string }> | undefined;

  constructor(
    store: ApiKeyStore,
    private readonly clock: Clock,
    cache: KeyCache,
    private readonly events: KeyfenceEvents,
  ) {
    if (!(store instanceof ManagedApiKeyStore)) return;
    const options = {
      interval: INTERVAL_MS,
      maxWaiting: MAX_WAITING,
      onError: (error: unknown) => {
        this.#report(error);
      },
    };
    this.#uses = new BatchWriter({
      ...options,
      write: (uses) => withDeadline(store.recordUses(uses.map(toKeyUse)), DEADLINE_MS),
    });
    this.#digests = new BatchWriter({
      ...options,
      write: async (changes) => {
        await withDeadline(store.replaceDigests(changes.map(([, change]) => toDigestChange(change))), DEADLINE_MS);
        cache.invalidate(changes.map(([, { locator }]) => locator));
      },
    });
  }

  used(record: VerifiableRecord): void {
    this.#uses?.add(record.id, this.clock.now());
  }

  /** @param digest makes the new digest; asked once for a key */
  outdated(record: VerifiableRecord, digest: () => { readonly digest: string; readonly digestVersion: string }): void {
    const { id, locator } = record;
    if (this.#digests?.has(id) === false) this.#digests.add(id, { id, locator, from: record.digest, ...digest() });
  }

  /** Before the application's own connections close. */
  async onModuleDestroy(): Promise<void> {
    await Promise.all([this.#uses?.flush(), this.#digests?.flush()]);
  }

  /** What the last requests left. */
  async onApplicationShutdown(): Promise<void> {
    await Promise.all([this.#uses?.close(), this.#digests?.close()]);
  }

  #report(error: unknown): void {
    this.events.emit(() => ({
      type: 'deferred_write_failed',
      at: new Date(this.clock.now()),
      reason: error instanceof Error ? error.name : typeof error,
    }));
  }
}

function toKeyUse([id, at]: readonly [string, number]): KeyUse {
  return { id, at: new Date(at) };
}

function toDigestChange({ id, from, digest, digestVersion }: DigestChange): DigestChange {
  return { id, from, digest, digestVersion };
}
