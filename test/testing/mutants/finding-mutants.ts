import type { ApiKeyRecord } from '../../../src/api-key/api-key-record.js';
import type { KeyPage, ListKeysQuery } from '../../../src/api-key/api-key.store.js';
import type { TenantId } from '../../../src/principal/tenant-id.js';
import { MutantError, type Mutant } from './mutant.js';
import { RowStore } from './row-store.js';

/** Keeps or gives something else than the record. */
function keeping(change: (record: ApiKeyRecord) => object): () => RowStore {
  class Mutated extends RowStore {
    protected override in(record: ApiKeyRecord): ApiKeyRecord {
      return change(structuredClone(record)) as ApiKeyRecord;
    }
  }
  return () => new Mutated();
}

function listing(page: (keys: readonly ApiKeyRecord[], query: ListKeysQuery) => KeyPage): () => RowStore {
  class Mutated extends RowStore {
    override list(tenantId: TenantId, query: ListKeysQuery): Promise<KeyPage> {
      return Promise.resolve(page(this.sorted(tenantId), query));
    }
  }
  return () => new Mutated();
}

function selecting(isListed: (row: ApiKeyRecord, query: ListKeysQuery, right: boolean) => boolean): () => RowStore {
  class Mutated extends RowStore {
    protected override isListed(row: ApiKeyRecord, query: ListKeysQuery): boolean {
      return isListed(row, query, super.isListed(row, query));
    }
  }
  return () => new Mutated();
}

function without(value: object, isLeftOut: (field: unknown) => boolean): object {
  return Object.fromEntries(Object.entries(value).filter(([, field]) => !isLeftOut(field)));
}

/** Mutants that insert, find or list wrongly. */
export const FINDING_MUTANTS: readonly Mutant[] = [
  {
    store: 'cuts milliseconds off',
    failsAt: ['gives every field as it was'],
    make: keeping((record) => ({
      ...record,
      createdAt: new Date(Math.floor(record.createdAt.getTime() / 1_000) * 1_000),
    })),
  },
  {
    store: 'keeps dates as texts',
    failsAt: ['gives every field as it was', 'a limit that is not set is absent'],
    make: keeping((record) => ({ ...record, createdAt: record.createdAt.toISOString() })),
  },
  {
    store: 'sorts scopes',
    failsAt: ['gives every field as it was'],
    make: keeping((record) => ({ ...record, scopes: [...record.scopes].sort() })),
  },
  {
    store: 'loses characters beyond the basic plane',
    failsAt: ['gives every field as it was'],
    make: keeping((record) => ({ ...record, name: record.name.replaceAll(/[\u{10000}-\u{10ffff}]/gu, '?') })),
  },
  {
    store: 'gives null for what is not set',
    failsAt: ['a limit that is not set is absent'],
    make: keeping((record) => ({ ...record, expiresAt: record.expiresAt ?? null })),
  },
  {
    store: 'gives an empty list for one that is not set',
    failsAt: ['a limit that is not set is absent'],
    make: keeping((record) => ({ ...record, allowedIps: record.allowedIps ?? [] })),
  },
  {
    store: 'drops empty lists',
    failsAt: ['an empty list is not an absent one', 'a limit that becomes an empty list is not taken away'],
    make: keeping((record) => without(record, (field) => Array.isArray(field) && field.length === 0)),
  },
  {
    store: 'drops empty metadata',
    failsAt: ['empty metadata is not absent'],
    make: keeping((record) => {
      const { metadata, ...rest } = record;
      return Object.keys(metadata ?? {}).length === 0 ? rest : record;
    }),
  },
  {
    store: 'cuts names',
    failsAt: ['a name of 100 characters'],
    make: keeping((record) => ({ ...record, name: record.name.slice(0, 64) })),
  },
  {
    store: 'inserts every key as a living one',
    failsAt: ['a key that was revoked, replaced and has ended'],
    make: () =>
      new (class extends RowStore {
        override insert(record: ApiKeyRecord): Promise<boolean> {
          return super.insert({ ...record, revokedAt: undefined });
        }
      })(),
  },
  {
    store: 'overwrites the key that has the id',
    failsAt: ['false for an id that is taken'],
    make: () =>
      new (class extends RowStore {
        protected override isTaken(): boolean {
          return false;
        }
      })(),
  },
  {
    store: 'lets each tenant have each id',
    failsAt: ['false for an id that is taken'],
    make: () =>
      new (class extends RowStore {
        protected override isTaken(record: ApiKeyRecord): boolean {
          return super.isTaken(record) && this.rows.get(record.id)?.tenantId !== 'acme';
        }
      })(),
  },
  {
    store: 'lets two keys have one locator',
    failsAt: ['false for a locator that is taken', "rotate: false if the new key's locator is taken"],
    make: () =>
      new (class extends RowStore {
        protected override isTaken({ id }: ApiKeyRecord): boolean {
          return this.rows.has(id);
        }
      })(),
  },
  {
    store: 'says false and inserts nevertheless',
    failsAt: ['false for an id that is taken', 'false for a locator that is taken'],
    make: () =>
      new (class extends RowStore {
        override async insert(record: ApiKeyRecord): Promise<boolean> {
          const inserted = await super.insert(record);
          this.put(record);
          return inserted;
        }
      })(),
  },
  {
    store: 'finds by the beginning of a locator',
    failsAt: ['null for what is unknown'],
    make: () =>
      new (class extends RowStore {
        override findByLocator(locator: string): Promise<ApiKeyRecord | null> {
          const row = [...this.rows.values()].find((candidate) => candidate.locator.startsWith(locator));
          return Promise.resolve(row === undefined ? null : this.out(row));
        }
      })(),
  },
  {
    store: 'ignores the tenant',
    failsAt: [
      "findById: another tenant's id is the same as none",
      "revoke: null for an id that is unknown or another tenant's",
      "update: false for an id that is unknown or another tenant's",
      "rotate: false for an id that is unknown or another tenant's",
    ],
    make: () =>
      new (class extends RowStore {
        protected override own(_tenantId: TenantId, id: string): ApiKeyRecord | undefined {
          return this.rows.get(id);
        }
      })(),
  },
  {
    store: 'keeps what it is given, and no copy',
    failsAt: ['insert keeps a copy', 'update: keeps a copy', 'rotate: keeps copies'],
    make: () =>
      new (class extends RowStore {
        protected override in(record: ApiKeyRecord): ApiKeyRecord {
          return record;
        }
      })(),
  },
  {
    store: 'gives what it keeps, and no copy',
    failsAt: ['findByLocator, findById, list and revoke give copies'],
    make: () =>
      new (class extends RowStore {
        protected override out(row: ApiKeyRecord): ApiKeyRecord {
          return row;
        }
      })(),
  },
  {
    store: 'gives shallow copies',
    failsAt: ['findByLocator, findById, list and revoke give copies'],
    make: () =>
      new (class extends RowStore {
        protected override out(row: ApiKeyRecord): ApiKeyRecord {
          return { ...row };
        }
      })(),
  },
  {
    store: 'reads what was there when it was opened',
    failsAt: ['insert through one instance is seen by another at once'],
    make: () => new RowStore(),
    makeAnother: ({ rows }) => new RowStore(new Map(rows)),
  },
  {
    store: 'throws for a tenant without keys',
    failsAt: ['an empty page without a next one'],
    make: listing((keys) => {
      if (keys.length === 0) throw new MutantError('no keys');
      return { items: keys };
    }),
  },
  {
    store: 'has always a next page',
    failsAt: ['an empty page without a next one'],
    make: listing((keys) => ({ items: keys, next: keys.at(-1)?.id ?? '' })),
  },
  {
    store: 'lists in the order of insertion',
    failsAt: ['whole records, oldest first'],
    make: () =>
      new (class extends RowStore {
        protected override sorted(tenantId: TenantId): ApiKeyRecord[] {
          return [...this.rows.values()].filter((row) => row.tenantId === tenantId);
        }
      })(),
  },
  {
    store: 'lists the youngest first where two are as old',
    failsAt: ['whole records, oldest first'],
    make: () =>
      new (class extends RowStore {
        protected override sorted(tenantId: TenantId): ApiKeyRecord[] {
          const ascending = super.sorted(tenantId).reverse();
          return ascending.sort((left, right) => left.createdAt.getTime() - right.createdAt.getTime());
        }
      })(),
  },
  {
    store: 'lists parts of records',
    failsAt: ['whole records, oldest first'],
    make: listing((keys) => ({ items: keys.map(({ digest, ...rest }) => ({ ...rest, digest: digest.slice(0, 8) })) })),
  },
  {
    store: 'lists the keys of all tenants',
    failsAt: ["only the tenant's keys", 'an empty page without a next one'],
    make: () =>
      new (class extends RowStore {
        protected override sorted(): ApiKeyRecord[] {
          return [...this.rows.values()];
        }
      })(),
  },
  {
    store: 'has a next page after one that is full',
    failsAt: ['pages of the limit, and no next after the last one'],
    make: listing((keys, { limit, cursor }) => {
      const start = cursor === undefined ? 0 : keys.findIndex(({ id }) => id === cursor) + 1;
      const items = keys.slice(start, start + limit);
      return { items, next: items.length === limit ? items.at(-1)?.id : undefined };
    }),
  },
  {
    store: 'gives no next page at all',
    failsAt: ['pages of the limit, and no next after the last one'],
    make: listing((keys, { limit }) => ({ items: keys.slice(0, limit) })),
  },
  {
    store: 'goes on after the time of the last key',
    failsAt: ['pages neither repeat nor skip keys that are as old as each other'],
    make: listing((keys, { limit, cursor }) => {
      const rest = keys.filter(({ createdAt }) => cursor === undefined || createdAt > new Date(cursor));
      const items = rest.slice(0, limit);
      return { items, next: rest.length > limit ? items.at(-1)?.createdAt.toISOString() : undefined };
    }),
  },
  {
    store: 'counts the keys before a page',
    failsAt: ['a cursor keeps its place while keys are added and revoked'],
    make: listing((keys, { limit, cursor, includeRevoked }) => {
      const start = Number(cursor ?? 0);
      const rest = keys.filter(({ revokedAt }) => includeRevoked || revokedAt === undefined).slice(start);
      return { items: rest.slice(0, limit), next: rest.length > limit ? String(start + limit) : undefined };
    }),
  },
  {
    store: 'finds its place among the keys that are listed only',
    failsAt: ['a cursor keeps its place while keys are added and revoked'],
    make: listing((keys, { limit, cursor, includeRevoked }) => {
      const listed = keys.filter(({ revokedAt }) => includeRevoked || revokedAt === undefined);
      const rest = listed.slice(listed.findIndex(({ id }) => id === cursor) + 1);
      const items = rest.slice(0, limit);
      return { items, next: rest.length > limit ? items.at(-1)?.id : undefined };
    }),
  },
  {
    store: 'leaves revoked keys out after it has cut the page',
    failsAt: ['leaves revoked keys out unless they are asked for, and fills its pages'],
    make: listing((keys, { limit, cursor, includeRevoked }) => {
      const rest = keys.slice(keys.findIndex(({ id }) => id === cursor) + 1);
      const page = rest.slice(0, limit);
      return {
        items: page.filter(({ revokedAt }) => includeRevoked || revokedAt === undefined),
        next: rest.length > limit ? page.at(-1)?.id : undefined,
      };
    }),
  },
  {
    store: 'never lists revoked keys',
    failsAt: ['leaves revoked keys out unless they are asked for, and fills its pages'],
    make: selecting((row, _query, right) => right && row.revokedAt === undefined),
  },
  {
    store: 'takes replaced keys for revoked ones',
    failsAt: ['keys that were replaced or have expired are not revoked'],
    make: selecting((row, query, right) => right && (query.includeRevoked || row.rotatedTo === undefined)),
  },
  {
    store: 'takes keys made at createdBefore',
    failsAt: ['createdBefore takes keys made before it'],
    make: selecting((row, { createdBefore }) => createdBefore === undefined || row.createdAt <= createdBefore),
  },
  {
    store: 'takes keys used at unusedSince',
    failsAt: ['unusedSince takes keys last used before it'],
    make: selecting(
      (row, { unusedSince }) => unusedSince === undefined || (row.lastUsedAt ?? row.createdAt) <= unusedSince,
    ),
  },
  {
    store: 'passes over keys that were never used',
    failsAt: ['unusedSince takes keys last used before it'],
    make: selecting((row, { unusedSince }, right) => right && (unusedSince === undefined || !!row.lastUsedAt)),
  },
  {
    store: 'takes new keys for unused ones',
    failsAt: ['unusedSince takes keys last used before it'],
    make: selecting((row, { unusedSince }, right) => right || (unusedSince !== undefined && !row.lastUsedAt)),
  },
  {
    store: 'forgets the conditions on the second page',
    failsAt: ['conditions hold together, on every page'],
    make: selecting((_row, { cursor }, right) => right || cursor !== undefined),
  },
  {
    store: 'throws for a cursor that is none',
    failsAt: ['a cursor that is none does not throw'],
    make: listing((keys, { cursor }) => {
      if (cursor !== undefined && !keys.some(({ id }) => id === cursor)) throw new MutantError('bad cursor');
      return { items: keys };
    }),
  },
  {
    store: 'takes the tenant from the cursor',
    failsAt: ['a cursor that is none does not throw'],
    make: () =>
      new (class extends RowStore {
        override list(tenantId: TenantId, query: ListKeysQuery): Promise<KeyPage> {
          return super.list(this.rows.get(query.cursor ?? '')?.tenantId ?? tenantId, query);
        }
      })(),
  },
];
