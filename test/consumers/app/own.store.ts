import { Injectable, Module } from '@nestjs/common';
import {
  InMemoryApiKeyStore,
  ManagedApiKeyStore,
  type ApiKeyRecord,
  type DigestChange,
  type KeyPage,
  type KeyUse,
  type ListKeysQuery,
  type TenantId,
} from 'nestjs-keyfence';

/** The application's own store, as a team writes it around its database. */
@Injectable()
export class OwnStore extends ManagedApiKeyStore {
  private readonly table = new InMemoryApiKeyStore();

  findByLocator(locator: string): Promise<ApiKeyRecord | null> {
    return this.table.findByLocator(locator);
  }

  insert(record: ApiKeyRecord): Promise<boolean> {
    return this.table.insert(record);
  }

  findById(tenantId: TenantId, id: string): Promise<ApiKeyRecord | null> {
    return this.table.findById(tenantId, id);
  }

  revoke(tenantId: TenantId, id: string, at: Date): Promise<ApiKeyRecord | null> {
    return this.table.revoke(tenantId, id, at);
  }

  list(tenantId: TenantId, query: ListKeysQuery): Promise<KeyPage> {
    return this.table.list(tenantId, query);
  }

  update(record: ApiKeyRecord): Promise<boolean> {
    return this.table.update(record);
  }

  rotate(old: ApiKeyRecord, successor: ApiKeyRecord): Promise<boolean> {
    return this.table.rotate(old, successor);
  }

  recordUses(uses: readonly KeyUse[]): Promise<void> {
    return this.table.recordUses(uses);
  }

  replaceDigests(changes: readonly DigestChange[]): Promise<void> {
    return this.table.replaceDigests(changes);
  }

  prune(deadBefore: Date, limit: number): Promise<number> {
    return this.table.prune(deadBefore, limit);
  }
}

@Module({ providers: [OwnStore], exports: [OwnStore] })
export class OwnStoreModule {}
