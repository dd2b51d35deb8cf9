import { Injectable, Module } from '@nestjs/common';
import {
  InMemoryApiKeyStore,
  ManagedApiKeyStore,
  type ApiKeyRecord,
  type KeyPage,
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

  insert(record: ApiKeyRecord): Promise<void> {
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
}

@Module({ providers: [OwnStore], exports: [OwnStore] })
export class OwnStoreModule {}
