import {
  ManagedApiKeyStore,
  type ApiKeyRecord,
  type DigestChange,
  type KeyPage,
  type KeyUse,
  type ListKeysQuery,
  type TenantId,
} from 'nestjs-keyfence';
import { IsNull, type DataSource, type EntityManager, type FindOptionsWhere, type Repository } from 'typeorm';
import { ApiKeyEntity, toRecord, toRow } from './api-key.entity.js';

/**
 * Keeps keys in a table of the application's own, through TypeORM, in PostgreSQL. Every change is one statement, or one
 * transaction, whose condition the database checks: two processes never decide by what they read before.
 */
export class TypeOrmApiKeyStore extends ManagedApiKeyStore {
  readonly #keys: Repository<ApiKeyEntity>;

  constructor(private readonly dataSource: DataSource) {
    super();
    this.#keys = dataSource.getRepository(ApiKeyEntity);
  }

  async findByLocator(locator: string): Promise<ApiKeyRecord | null> {
    return toRecordOrNull(await this.#keys.findOneBy({ locator }));
  }

  async findById(tenantId: TenantId, id: string): Promise<ApiKeyRecord | null> {
    return toRecordOrNull(await this.#keys.findOneBy({ tenantId, id }));
  }

  insert(record: ApiKeyRecord): Promise<boolean> {
    return insertInto(this.dataSource.manager, record);
  }

  async list(tenantId: TenantId, query: ListKeysQuery): Promise<KeyPage> {
    const { limit, includeRevoked, createdBefore, unusedSince } = query;
    const select = this.#keys.createQueryBuilder('key').where({ tenantId });
    if (!includeRevoked) select.andWhere('key.revokedAt IS NULL');
    if (createdBefore !== undefined) select.andWhere('key.createdAt < :createdBefore', { createdBefore });
    if (unusedSince !== undefined) {
      select.andWhere('COALESCE(key.lastUsedAt, key.createdAt) < :unusedSince', { unusedSince });
    }
    const after = readCursor(query.cursor);
    if (after !== undefined) select.andWhere('(key.createdAt, key.id) > (:createdAt, :id)', after);
    // One more than is wanted shows whether there is a next page.
    const rows = await select
      .orderBy('key.createdAt')
      .addOrderBy('key.id')
      .limit(limit + 1)
      .getMany();
    const items = rows.slice(0, limit).map(toRecord);
    return { items, next: rows.length > limit ? cursorOf(items.at(-1)) : undefined };
  }

  async revoke(tenantId: TenantId, id: string, at: Date): Promise<ApiKeyRecord | null> {
    await this.#keys.update({ tenantId, id, revokedAt: IsNull() }, { revokedAt: at, version: () => 'version + 1' });
    return this.findById(tenantId, id);
  }

  async update(record: ApiKeyRecord): Promise<boolean> {
    const { name, scopes, paths, allowedIps, notBefore, expiresAt, metadata, version } = toRow(record);
    // The types of TypeORM know no read-only lists and no JSON.
    const changes = { name, scopes, paths, allowedIps, notBefore, expiresAt, metadata, version } as object;
    return (await this.#keys.update(theOneBefore(record), changes)).affected === 1;
  }

  rotate(old: ApiKeyRecord, successor: ApiKeyRecord): Promise<boolean> {
    return this.dataSource.transaction(async (manager) => {
      // Locked until the transaction ends, so that nobody changes it between this line and the last.
      const open = await manager.findOne(ApiKeyEntity, {
        where: theOneBefore(old),
        lock: { mode: 'pessimistic_write' },
      });
      if (open === null || !(await insertInto(manager, successor))) return false;
      const { rotatedTo, graceEndsAt, version } = old;
      await manager.update(ApiKeyEntity, { id: old.id }, { rotatedTo, graceEndsAt, version });
      return true;
    });
  }

  async recordUses(uses: readonly KeyUse[]): Promise<void> {
    // Rows are locked in the order of their ids: two batches that met in another order would wait for each other.
    await this.dataSource.query(
      `WITH used AS (
         SELECT id, max(at) AS at FROM unnest($1::text[], $2::timestamptz[]) AS use (id, at) GROUP BY id
       ), locked AS (
         SELECT id, used.at FROM api_key JOIN used USING (id) ORDER BY id FOR UPDATE OF api_key
       )
       UPDATE api_key SET last_used_at = greatest(last_used_at, locked.at) FROM locked WHERE api_key.id = locked.id`,
      [uses.map(({ id }) => id), uses.map(({ at }) => at.toISOString())],
    );
  }

  async replaceDigests(changes: readonly DigestChange[]): Promise<void> {
    await this.dataSource.query(
      `WITH change AS (
         SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::text[]) AS change (id, old, digest, version)
       ), locked AS (
         SELECT id, change.old, change.digest, change.version FROM api_key JOIN change USING (id) ORDER BY id FOR UPDATE OF api_key
       )
       UPDATE api_key SET digest = locked.digest, digest_version = locked.version
       FROM locked WHERE api_key.id = locked.id AND api_key.digest = locked.old`,
      [
        changes.map(({ id }) => id),
        changes.map(({ from }) => from),
        changes.map(({ digest }) => digest),
        changes.map(({ digestVersion }) => digestVersion),
      ],
    );
  }

  async prune(deadBefore: Date, limit: number): Promise<number> {
    const dead = this.#keys
      .createQueryBuilder('dead')
      .select('dead.id')
      .where('dead.revokedAt < :deadBefore OR dead.expiresAt < :deadBefore OR dead.graceEndsAt < :deadBefore')
      .limit(limit);
    const { affected } = await this.#keys
      .createQueryBuilder()
      .delete()
      .where(`id IN (${dead.getQuery()})`, { deadBefore })
      .execute();
    return affected ?? 0;
  }
}

/** The stored record that a changed one may be written onto. */
function theOneBefore({ tenantId, id, version }: ApiKeyRecord): FindOptionsWhere<ApiKeyEntity> {
  return { tenantId, id, version: version - 1, revokedAt: IsNull(), rotatedTo: IsNull() };
}

/** `false` if the id or the locator is taken: both are unique. */
async function insertInto(manager: EntityManager, record: ApiKeyRecord): Promise<boolean> {
  const insert = manager.createQueryBuilder().insert().into(ApiKeyEntity);
  const inserted = await insert
    .values(toRow(record) as object)
    .orIgnore()
    .returning('id')
    .execute();
  return (inserted.raw as unknown[]).length === 1;
}

function toRecordOrNull(row: ApiKeyEntity | null): ApiKeyRecord | null {
  return row === null ? null : toRecord(row);
}

/** Where a page ended: this stays true whatever happens to the key. */
function cursorOf(record: ApiKeyRecord | undefined): string | undefined {
  return record && `${record.createdAt.getTime()}.${record.id}`;
}

/** A cursor comes from a caller; one that is none is the same as no cursor. */
function readCursor(cursor = ''): { readonly createdAt: Date; readonly id: string } | undefined {
  const [, time, id] = /^(\d{1,15})\.(\w{1,64})$/.exec(cursor) ?? [];
  return time === undefined || id === undefined ? undefined : { createdAt: new Date(Number(time)), id };
}
