import type { ApiKeyRecord } from '../../../src/api-key/api-key-record.js';
import type { DigestChange, KeyUse } from '../../../src/api-key/api-key.store.js';
import type { TenantId } from '../../../src/principal/tenant-id.js';
import { MutantError, type Mutant } from './mutant.js';
import { RowStore } from './row-store.js';

/** Does something else for each use. */
function using(use: (store: RowStore, use: KeyUse, row: ApiKeyRecord | undefined) => void): () => RowStore {
  class Mutated extends RowStore {
    override async recordUses(uses: readonly KeyUse[]): Promise<void> {
      const before = new Map(this.rows);
      await super.recordUses(uses);
      for (const item of uses) use(this, item, before.get(item.id));
    }
  }
  return () => new Mutated();
}

/** Does something else for each new digest. */
function digesting(
  replace: (store: RowStore, change: DigestChange, row: ApiKeyRecord | undefined) => void,
): () => RowStore {
  class Mutated extends RowStore {
    override async replaceDigests(changes: readonly DigestChange[]): Promise<void> {
      const before = new Map(this.rows);
      await super.replaceDigests(changes);
      for (const change of changes) replace(this, change, before.get(change.id));
    }
  }
  return () => new Mutated();
}

function dying(isDead: (row: ApiKeyRecord, deadBefore: Date, right: boolean) => boolean): () => RowStore {
  class Mutated extends RowStore {
    protected override isDead(row: ApiKeyRecord, deadBefore: Date): boolean {
      return isDead(row, deadBefore, super.isDead(row, deadBefore));
    }
  }
  return () => new Mutated();
}

function isBefore(end: Date | undefined, time: Date): boolean {
  return end !== undefined && end < time;
}

/** Mutants that record uses, replace digests or prune wrongly. */
export const BATCH_MUTANTS: readonly Mutant[] = [
  {
    store: 'counts the version up for a use',
    failsAt: ['recordUses: sets when a key was last used'],
    make: using((store, { id }, row) => row && store.rows.set(id, { ...row, version: row.version + 1 })),
  },
  {
    store: 'records no first use',
    failsAt: ['recordUses: sets when a key was last used'],
    make: using((store, { id }, row) => row && !row.lastUsedAt && store.rows.set(id, row)),
  },
  {
    store: 'moves uses back',
    failsAt: ['recordUses: moves forward by a millisecond, and never back'],
    make: using((store, { id, at }, row) => row && store.rows.set(id, { ...row, lastUsedAt: at })),
  },
  {
    store: 'takes the last of several uses for the latest',
    failsAt: ['recordUses: the latest of several uses of one key'],
    make: () =>
      new (class extends RowStore {
        override recordUses(uses: readonly KeyUse[]): Promise<void> {
          return super.recordUses([...new Map(uses.map((use) => [use.id, use])).values()]);
        }
      })(),
  },
  {
    store: 'makes keys of unknown ids that were used',
    failsAt: ['recordUses: passes over ids that are unknown', 'prune: removed keys stay removed'],
    make: using((store, { id, at }, row) => {
      if (row !== undefined) return;
      const made = { id, locator: id, tenantId: 'acme' as TenantId, createdAt: at, version: 1 };
      store.rows.set(id, made as unknown as ApiKeyRecord);
    }),
  },
  {
    store: 'throws for unknown ids',
    failsAt: ['recordUses: passes over ids that are unknown', 'recordUses: as many at once'],
    make: using((_store, _use, row) => {
      if (row === undefined) throw new MutantError('unknown');
    }),
  },
  {
    store: 'brings a revoked key back by its use',
    failsAt: ['recordUses: leaves a key revoked, replaced or expired'],
    make: using((store, { id }) => {
      const row = store.rows.get(id);
      if (row !== undefined) store.rows.set(id, { ...row, revokedAt: undefined });
    }),
  },
  {
    store: 'writes the first thousand of a batch',
    failsAt: ['recordUses: as many at once', 'replaceDigests: as many at once'],
    make: () =>
      new (class extends RowStore {
        override recordUses(uses: readonly KeyUse[]): Promise<void> {
          return super.recordUses(uses.slice(0, 1_000));
        }

        override replaceDigests(changes: readonly DigestChange[]): Promise<void> {
          return super.replaceDigests(changes.slice(0, 1_000));
        }
      })(),
  },
  {
    store: 'throws for an empty batch',
    failsAt: ['recordUses: as many at once', 'replaceDigests: as many at once'],
    make: () =>
      new (class extends RowStore {
        override recordUses(uses: readonly KeyUse[]): Promise<void> {
          return uses.length === 0 ? Promise.reject(new MutantError('empty')) : super.recordUses(uses);
        }

        override replaceDigests(changes: readonly DigestChange[]): Promise<void> {
          return changes.length === 0 ? Promise.reject(new MutantError('empty')) : super.replaceDigests(changes);
        }
      })(),
  },
  {
    store: 'finds what to replace by the digest',
    failsAt: ['replaceDigests: writes digest and digestVersion'],
    make: digesting((store, { from, digest, digestVersion }) => {
      for (const row of store.rows.values()) {
        if (row.digest === from) store.rows.set(row.id, { ...row, digest, digestVersion });
      }
    }),
  },
  {
    store: 'forgets how a new digest was made',
    failsAt: ['replaceDigests: writes digest and digestVersion'],
    make: digesting((store, { id, digest }, row) => row && store.rows.set(id, { ...row, digest })),
  },
  {
    store: 'replaces whatever digest there is',
    failsAt: ['replaceDigests: leaves a digest that is not the one named', 'at once: of many new digests for one'],
    make: () =>
      new (class extends RowStore {
        override async replaceDigests(changes: readonly DigestChange[]): Promise<void> {
          await Promise.resolve();
          for (const { id, digest, digestVersion } of changes.filter((_change, index) => index % 2 === 0)) {
            const row = this.rows.get(id);
            // A digest of one and the version of another.
            if (row !== undefined) this.rows.set(id, { ...row, digest, digestVersion: `${digestVersion}0` });
          }
        }
      })(),
  },
  {
    store: 'brings a revoked key back by its digest',
    failsAt: ['replaceDigests: passes over ids that are unknown, and leaves a revoked key revoked'],
    make: digesting((store, { id }) => {
      const row = store.rows.get(id);
      if (row !== undefined) store.rows.set(id, { ...row, revokedAt: undefined });
    }),
  },
  {
    store: 'prunes one tenant',
    failsAt: ['prune: removes what was revoked'],
    make: dying((row, _time, right) => right && row.tenantId === 'acme'),
  },
  {
    store: 'prunes no expired keys',
    failsAt: ['prune: removes what was revoked', 'prune: leaves what lives'],
    make: dying((row, time) => isBefore(row.revokedAt, time) || isBefore(row.graceEndsAt, time)),
  },
  {
    store: 'prunes no replaced keys',
    failsAt: ['prune: removes what was revoked', 'prune: goes by what a key is now'],
    make: dying((row, time) => isBefore(row.revokedAt, time) || isBefore(row.expiresAt, time)),
  },
  {
    store: 'goes by the first end that is set',
    failsAt: ['prune: removes what was revoked'],
    make: dying((row, time) => isBefore(row.revokedAt ?? row.expiresAt ?? row.graceEndsAt, time)),
  },
  {
    store: 'prunes what died at the time',
    failsAt: ['prune: leaves what lives'],
    make: dying((row, time) =>
      [row.revokedAt, row.expiresAt, row.graceEndsAt].some((end) => end !== undefined && end <= time),
    ),
  },
  {
    store: 'prunes what is long unused',
    failsAt: ['prune: leaves what lives'],
    make: dying((row, time, right) => right || isBefore(row.lastUsedAt, time)),
  },
  {
    store: 'prunes all that is replaced',
    failsAt: ['prune: leaves what lives'],
    make: dying((row, _time, right) => right || row.rotatedTo !== undefined),
  },
  {
    store: 'ignores the limit of prune',
    failsAt: ['prune: removes at most as many as the limit says'],
    make: () =>
      new (class extends RowStore {
        override prune(deadBefore: Date): Promise<number> {
          return super.prune(deadBefore, Infinity);
        }
      })(),
  },
  {
    store: 'does not say how many it pruned',
    failsAt: ['prune: removes at most as many as the limit says', 'prune: removes what was revoked'],
    make: () =>
      new (class extends RowStore {
        override async prune(deadBefore: Date, limit: number): Promise<number> {
          return (await super.prune(deadBefore, limit)) === 0 ? 0 : limit;
        }
      })(),
  },
  {
    store: 'keeps the ids of pruned keys',
    failsAt: ['prune: ids and locators of removed keys are free again'],
    make: () =>
      new (class extends RowStore {
        readonly #used = new Set<string>();

        protected override isTaken(record: ApiKeyRecord): boolean {
          return super.isTaken(record) || this.#used.has(record.id);
        }

        protected override put(record: ApiKeyRecord): void {
          this.#used.add(record.id);
          super.put(record);
        }
      })(),
  },
  {
    store: 'goes by the expiry that a key had first',
    failsAt: ['prune: goes by what a key is now'],
    make: () =>
      new (class extends RowStore {
        readonly #expiry = new Map<string, Date | undefined>();

        protected override put(record: ApiKeyRecord): void {
          if (!this.#expiry.has(record.id)) this.#expiry.set(record.id, record.expiresAt);
          super.put(record);
        }

        protected override isDead(row: ApiKeyRecord, deadBefore: Date): boolean {
          return super.isDead({ ...row, expiresAt: this.#expiry.get(row.id) }, deadBefore);
        }
      })(),
  },
];
