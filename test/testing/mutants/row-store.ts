import type { ApiKeyRecord } from '../../../src/api-key/api-key-record.js';
import {
  ManagedApiKeyStore,
  type DigestChange,
  type KeyPage,
  type KeyUse,
  type ListKeysQuery,
} from '../../../src/api-key/api-key.store.js';
import type { TenantId } from '../../../src/principal/tenant-id.js';

/** A plain and right store whose parts a mutant can replace, one at a time. Two of them may share their rows. */
export class RowStore extends ManagedApiKeyStore {
  /** Waited for between reading and writing, where a mutant has one. */
  protected gap?: () => Promise<void>;

  constructor(readonly rows = new Map<string, ApiKeyRecord>()) {
    super();
  }

  findByLocator(locator: string): Promise<ApiKeyRecord | null> {
    const row = [...this.rows.values()].find((candidate) => candidate.locator === locator);
    return Promise.resolve(row === undefined ? null : this.out(row));
  }

  async insert(record: ApiKeyRecord): Promise<boolean> {
    const taken = this.isTaken(record);
    if (this.gap !== undefined) await this.gap();
    if (!taken) this.put(record);
    return !taken;
  }

  findById(tenantId: TenantId, id: string): Promise<ApiKeyRecord | null> {
    const row = this.own(tenantId, id);
    return Promise.resolve(row === undefined ? null : this.out(row));
  }

  list(tenantId: TenantId, query: ListKeysQuery): Promise<KeyPage> {
    const keys = this.sorted(tenantId);
    const start = query.cursor === undefined ? 0 : keys.findIndex((row) => row.id === query.cursor) + 1;
    const rest = keys.slice(start).filter((row) => this.isListed(row, query));
    const items = rest.slice(0, query.limit);
    const next = rest.length > items.length ? items.at(-1)?.id : undefined;
    return Promise.resolve({ items: items.map((row) => this.out(row)), next });
  }

  async revoke(tenantId: TenantId, id: string, at: Date): Promise<ApiKeyRecord | null> {
    const row = this.own(tenantId, id);
    if (this.gap !== undefined) await this.gap();
    if (row === undefined) return null;
    const revoked = row.revokedAt === undefined ? { ...row, revokedAt: at, version: row.version + 1 } : row;
    this.put(revoked);
    return this.out(this.rows.get(id) ?? revoked);
  }

  async update(record: ApiKeyRecord): Promise<boolean> {
    const row = this.own(record.tenantId, record.id);
    const open = this.isOpen(row, record);
    if (this.gap !== undefined) await this.gap();
    if (row === undefined || !open) return false;
    this.put({ ...row, ...this.changesOf(record) });
    return true;
  }

  async rotate(old: ApiKeyRecord, successor: ApiKeyRecord): Promise<boolean> {
    const row = this.own(old.tenantId, old.id);
    const open = this.isOpen(row, old) && !this.isTaken(successor);
    if (this.gap !== undefined) await this.gap();
    if (row === undefined || !open) return false;
    const { rotatedTo, graceEndsAt, version } = old;
    this.put({ ...row, rotatedTo, graceEndsAt, version });
    this.put(successor);
    return true;
  }

  async recordUses(uses: readonly KeyUse[]): Promise<void> {
    for (const { id, at } of uses) {
      const row = this.rows.get(id);
      if (this.gap !== undefined) await this.gap();
      if (row !== undefined && (row.lastUsedAt ?? 0) < at) this.put({ ...row, lastUsedAt: at });
    }
  }

  async replaceDigests(changes: readonly DigestChange[]): Promise<void> {
    for (const { id, from, digest, digestVersion } of changes) {
      const row = this.rows.get(id);
      if (this.gap !== undefined) await this.gap();
      if (row?.digest === from) this.put({ ...row, digest, digestVersion });
    }
  }

  async prune(deadBefore: Date, limit: number): Promise<number> {
    const dead = [...this.rows.values()].filter((row) => this.isDead(row, deadBefore)).slice(0, limit);
    if (this.gap !== undefined) await this.gap();
    for (const { id } of dead) this.rows.delete(id);
    return dead.length;
  }

  /** What is kept of a record. */
  protected in(record: ApiKeyRecord): ApiKeyRecord {
    return structuredClone(record);
  }

  /** What is given of a row. */
  protected out(row: ApiKeyRecord): ApiKeyRecord {
    return structuredClone(row);
  }

  protected put(record: ApiKeyRecord): void {
    this.rows.set(record.id, this.in(record));
  }

  protected own(tenantId: TenantId, id: string): ApiKeyRecord | undefined {
    const row = this.rows.get(id);
    return row?.tenantId === tenantId ? row : undefined;
  }

  protected isTaken({ id, locator }: ApiKeyRecord): boolean {
    return [...this.rows.values()].some((row) => row.id === id || row.locator === locator);
  }

  /** Whether a change of this record may be written onto the row. */
  protected isOpen(row: ApiKeyRecord | undefined, { version }: ApiKeyRecord): boolean {
    return row?.version === version - 1 && row.revokedAt === undefined && row.rotatedTo === undefined;
  }

  protected changesOf(record: ApiKeyRecord): Partial<ApiKeyRecord> {
    const { name, scopes, paths, allowedIps, notBefore, expiresAt, metadata, version } = record;
    return { name, scopes, paths, allowedIps, notBefore, expiresAt, metadata, version };
  }

  protected sorted(tenantId: TenantId): ApiKeyRecord[] {
    const age = ({ createdAt }: ApiKeyRecord): number => createdAt.getTime();
    const keys = [...this.rows.values()].filter((row) => row.tenantId === tenantId);
    return keys.sort((left, right) => age(left) - age(right) || (left.id < right.id ? -1 : 1));
  }

  protected isListed(row: ApiKeyRecord, { includeRevoked, createdBefore, unusedSince }: ListKeysQuery): boolean {
    return (
      (includeRevoked || row.revokedAt === undefined) &&
      (createdBefore === undefined || row.createdAt < createdBefore) &&
      (unusedSince === undefined || (row.lastUsedAt ?? row.createdAt) < unusedSince)
    );
  }

  protected isDead({ revokedAt, expiresAt, graceEndsAt }: ApiKeyRecord, deadBefore: Date): boolean {
    return [revokedAt, expiresAt, graceEndsAt].some((end) => end !== undefined && end < deadBefore);
  }
}
