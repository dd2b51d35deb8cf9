import type { ApiKeyRecord } from '../../../src/api-key/api-key-record.js';
import type { TenantId } from '../../../src/principal/tenant-id.js';
import type { Mutant } from './mutant.js';
import { RowStore } from './row-store.js';

/** Writes something else on update. */
function writing(changes: (right: Partial<ApiKeyRecord>, record: ApiKeyRecord) => object): () => RowStore {
  class Mutated extends RowStore {
    protected override changesOf(record: ApiKeyRecord): Partial<ApiKeyRecord> {
      return changes(super.changesOf(record), record);
    }
  }
  return () => new Mutated();
}

/** Has another condition for update and rotate. */
function allowing(isOpen: (row: ApiKeyRecord, record: ApiKeyRecord) => boolean): () => RowStore {
  class Mutated extends RowStore {
    protected override isOpen(row: ApiKeyRecord | undefined, record: ApiKeyRecord): boolean {
      return row !== undefined && isOpen(row, record);
    }
  }
  return () => new Mutated();
}

function rotating(
  rotate: (store: RowStore, old: ApiKeyRecord, successor: ApiKeyRecord, right: boolean) => boolean,
): () => RowStore {
  class Mutated extends RowStore {
    override async rotate(old: ApiKeyRecord, successor: ApiKeyRecord): Promise<boolean> {
      return rotate(this, old, successor, await super.rotate(old, successor));
    }
  }
  return () => new Mutated();
}

function change(store: RowStore, id: string, fields: Partial<ApiKeyRecord>): void {
  const row = store.rows.get(id);
  if (row !== undefined) store.rows.set(id, { ...row, ...fields });
}

function without(changes: Partial<ApiKeyRecord>, left: keyof ApiKeyRecord): object {
  return Object.fromEntries(Object.entries(changes).filter(([field]) => field !== left));
}

/** Mutants that revoke, update or rotate wrongly. */
export const CHANGING_MUTANTS: readonly Mutant[] = [
  {
    store: 'does not count the version up on revoke',
    failsAt: ['revoke: sets the time, counts the version up'],
    make: () =>
      new (class extends RowStore {
        override async revoke(tenantId: TenantId, id: string, at: Date): Promise<ApiKeyRecord | null> {
          const version = this.own(tenantId, id)?.version;
          await super.revoke(tenantId, id, at);
          change(this, id, { version });
          return this.findById(tenantId, id);
        }
      })(),
  },
  {
    store: 'answers revoke with the record as it was',
    failsAt: ['revoke: sets the time, counts the version up'],
    make: () =>
      new (class extends RowStore {
        override async revoke(tenantId: TenantId, id: string, at: Date): Promise<ApiKeyRecord | null> {
          const before = await this.findById(tenantId, id);
          await super.revoke(tenantId, id, at);
          return before;
        }
      })(),
  },
  {
    store: 'sets the time of a second revocation',
    failsAt: ['revoke: a second time changes nothing'],
    make: () =>
      new (class extends RowStore {
        override async revoke(tenantId: TenantId, id: string, at: Date): Promise<ApiKeyRecord | null> {
          const revoked = await super.revoke(tenantId, id, at);
          change(this, id, { revokedAt: at });
          return revoked;
        }
      })(),
  },
  {
    store: 'counts the version up for a second revocation',
    failsAt: ['revoke: a second time changes nothing'],
    make: () =>
      new (class extends RowStore {
        override async revoke(tenantId: TenantId, id: string, at: Date): Promise<ApiKeyRecord | null> {
          const version = this.own(tenantId, id)?.version ?? 0;
          await super.revoke(tenantId, id, at);
          change(this, id, { version: version + 1 });
          return this.findById(tenantId, id);
        }
      })(),
  },
  {
    store: 'answers null for a key that is revoked already',
    failsAt: ['revoke: a second time changes nothing'],
    make: () =>
      new (class extends RowStore {
        override revoke(tenantId: TenantId, id: string, at: Date): Promise<ApiKeyRecord | null> {
          if (this.own(tenantId, id)?.revokedAt !== undefined) return Promise.resolve(null);
          return super.revoke(tenantId, id, at);
        }
      })(),
  },
  {
    store: 'does not revoke what was replaced',
    failsAt: ['revoke: a key that was replaced is revoked too'],
    make: () =>
      new (class extends RowStore {
        override revoke(tenantId: TenantId, id: string, at: Date): Promise<ApiKeyRecord | null> {
          const replaced = this.own(tenantId, id)?.rotatedTo !== undefined;
          return replaced ? this.findById(tenantId, id) : super.revoke(tenantId, id, at);
        }
      })(),
  },
  {
    store: 'revokes the successor too',
    failsAt: ['revoke: a key that was replaced is revoked too'],
    make: () =>
      new (class extends RowStore {
        override revoke(tenantId: TenantId, id: string, at: Date): Promise<ApiKeyRecord | null> {
          change(this, this.rows.get(id)?.rotatedTo ?? '', { revokedAt: at });
          return super.revoke(tenantId, id, at);
        }
      })(),
  },
  {
    store: 'forgets the paths on update',
    failsAt: ['update: writes name, scopes, paths', 'update: a limit that becomes an empty list'],
    make: writing((changes) => without(changes, 'paths')),
  },
  {
    store: 'forgets the expiry on update',
    failsAt: ['update: writes name, scopes, paths', 'prune: goes by what a key is now'],
    make: writing((changes) => without(changes, 'expiresAt')),
  },
  {
    store: 'keeps what is undefined on update',
    failsAt: ['update: a limit that is absent or undefined is taken away'],
    make: writing((changes) =>
      Object.fromEntries(Object.entries(changes).filter(([, value]: [string, unknown]) => value !== undefined)),
    ),
  },
  {
    store: 'un-revokes on update: writes the whole record',
    failsAt: ['update: touches no other field'],
    make: writing((_changes, record) => record),
  },
  {
    store: 'writes the digest on update',
    failsAt: ['update: touches no other field'],
    make: writing((changes, { digest }) => ({ ...changes, digest })),
  },
  {
    store: 'does not write the version on update',
    failsAt: ['update: one version after the other', 'at once: of many updates of one version'],
    make: writing((changes) => without(changes, 'version')),
  },
  {
    store: 'takes every newer version',
    failsAt: ['update: false for another version than the next', 'rotate: false for another version than the next'],
    make: allowing(
      (row, { version }) => row.version < version && row.revokedAt === undefined && row.rotatedTo === undefined,
    ),
  },
  {
    store: 'does not look at the version',
    failsAt: [
      'update: false for another version than the next',
      'rotate: false for another version than the next',
      'at once: of many updates of one version',
    ],
    make: allowing((row) => row.revokedAt === undefined && row.rotatedTo === undefined),
  },
  {
    store: 'updates and rotates revoked keys',
    failsAt: ['update: false for a key that was revoked', 'rotate: false for a key that was revoked'],
    make: allowing((row, { version }) => row.version === version - 1 && row.rotatedTo === undefined),
  },
  {
    store: 'believes the caller that a key is not revoked',
    failsAt: ['update: false for a key that was revoked', 'rotate: false for a key that was revoked'],
    make: allowing(
      (row, { version, revokedAt }) =>
        row.version === version - 1 && revokedAt === undefined && row.rotatedTo === undefined,
    ),
  },
  {
    store: 'updates and rotates keys that were replaced',
    failsAt: ['update: false for a key that was replaced', 'rotate: false for a key that was replaced'],
    make: allowing((row, { version }) => row.version === version - 1 && row.revokedAt === undefined),
  },
  {
    store: 'makes a key on update if there is none',
    failsAt: ["update: false for an id that is unknown or another tenant's"],
    make: () =>
      new (class extends RowStore {
        override update(record: ApiKeyRecord): Promise<boolean> {
          return this.rows.has(record.id) ? super.update(record) : this.insert(record);
        }
      })(),
  },
  {
    store: 'says false and updates nevertheless',
    failsAt: ['update: false for a key that was replaced'],
    make: () =>
      new (class extends RowStore {
        override async update(record: ApiKeyRecord): Promise<boolean> {
          const updated = await super.update(record);
          change(this, record.id, this.changesOf(record));
          return updated;
        }
      })(),
  },
  {
    store: 'forgets when the grace ends',
    failsAt: ['rotate: writes rotatedTo, graceEndsAt'],
    make: rotating((store, old, _successor, right) => {
      if (right) change(store, old.id, { graceEndsAt: undefined });
      return right;
    }),
  },
  {
    store: 'writes the whole old key on rotate',
    failsAt: ['rotate: touches no other field of the old key'],
    make: rotating((store, old, _successor, right) => {
      if (right) change(store, old.id, old);
      return right;
    }),
  },
  {
    store: 'gives the new key the version of the old one',
    failsAt: ['rotate: the new key can be replaced in its turn'],
    make: rotating((store, { version }, successor, right) => {
      if (right) change(store, successor.id, { version });
      return right;
    }),
  },
  {
    store: 'writes the old key though the new one cannot be inserted',
    failsAt: [
      "rotate: false if the new key's id is taken",
      "rotate: false if the new key's locator is taken",
      'at once: of many keys rotated to one new id',
    ],
    make: rotating((store, old, _successor, right) => {
      if (!right) change(store, old.id, { rotatedTo: old.rotatedTo, graceEndsAt: old.graceEndsAt });
      return right;
    }),
  },
  {
    store: 'inserts the new key though the old one cannot be written',
    failsAt: [
      'rotate: false for another version than the next',
      'rotate: false for a key that was revoked',
      'rotate: false for a key that was replaced',
      "rotate: false for an id that is unknown or another tenant's",
      'at once: of many that rotate one key',
      'prune: removed keys stay removed',
    ],
    make: rotating((store, _old, successor, right) => {
      if (!store.rows.has(successor.id)) store.rows.set(successor.id, successor);
      return right;
    }),
  },
  {
    store: 'overwrites the key that has the new id',
    failsAt: ["rotate: false if the new key's id is taken"],
    make: rotating((store, _old, successor, right) => {
      store.rows.set(successor.id, successor);
      return right;
    }),
  },
];
