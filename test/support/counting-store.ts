import type { ApiKeyRecord, StoredApiKey } from '../../src/api-key/api-key-record.js';
import {
  ApiKeyStore,
  ManagedApiKeyStore,
  type DigestChange,
  type KeyPage,
  type KeyUse,
  type ListKeysQuery,
} from '../../src/api-key/api-key.store.js';
import type { TenantId } from '../../src/principal/tenant-id.js';

const READS = ['findByLocator', 'findById', 'list'];

/** Wraps a store and counts what is asked of it. */
export class CountingStore extends ManagedApiKeyStore {
  override readonly foreignKeys: boolean;
  override readonly volatile: boolean;
  /** The names of the methods, in the order of the calls. */
  readonly calls: string[] = [];
  readonly #store: ManagedApiKeyStore;

  constructor(store: ManagedApiKeyStore) {
    super();
    this.#store = store;
    this.foreignKeys = store.foreignKeys;
    this.volatile = store.volatile;
  }

  /** How often a key was looked up. */
  get lookUps(): number {
    return this.calls.filter((name) => name === 'findByLocator').length;
  }

  /** How often anything was changed. */
  get writes(): number {
    return this.calls.filter((name) => !READS.includes(name)).length;
  }

  /** Starts to count anew. */
  reset(): void {
    this.calls.length = 0;
  }

  findByLocator(locator: string): Promise<StoredApiKey | null> {
    this.calls.push('findByLocator');
    return this.#store.findByLocator(locator);
  }

  insert(record: ApiKeyRecord): Promise<boolean> {
    this.calls.push('insert');
    return this.#store.insert(record);
  }

  findById(tenantId: TenantId, id: string): Promise<ApiKeyRecord | null> {
    this.calls.push('findById');
    return this.#store.findById(tenantId, id);
  }

  revoke(tenantId: TenantId, id: string, at: Date): Promise<ApiKeyRecord | null> {
    this.calls.push('revoke');
    return this.#store.revoke(tenantId, id, at);
  }

  list(tenantId: TenantId, query: ListKeysQuery): Promise<KeyPage> {
    this.calls.push('list');
    return this.#store.list(tenantId, query);
  }

  update(record: ApiKeyRecord): Promise<boolean> {
    this.calls.push('update');
    return this.#store.update(record);
  }

  rotate(old: ApiKeyRecord, successor: ApiKeyRecord): Promise<boolean> {
    this.calls.push('rotate');
    return this.#store.rotate(old, successor);
  }

  recordUses(uses: readonly KeyUse[]): Promise<void> {
    this.calls.push('recordUses');
    return this.#store.recordUses(uses);
  }

  replaceDigests(changes: readonly DigestChange[]): Promise<void> {
    this.calls.push('replaceDigests');
    return this.#store.replaceDigests(changes);
  }

  prune(deadBefore: Date, limit: number): Promise<number> {
    this.calls.push('prune');
    return this.#store.prune(deadBefore, limit);
  }
}

/** A store that answers whatever the test says, also what no store should. */
export class StubStore extends ApiKeyStore {
  lookUps = 0;

  constructor(
    private readonly answer: (locator: string) => unknown,
    override readonly foreignKeys = false,
  ) {
    super();
  }

  findByLocator(locator: string): Promise<StoredApiKey | null> {
    this.lookUps += 1;
    return this.answer(locator) as Promise<ApiKeyRecord | null>;
  }
}
