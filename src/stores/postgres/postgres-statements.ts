import type { ApiKeyRecord } from '../../api-key/api-key-record.js';
import type { DigestChange, KeyUse, ListKeysQuery } from '../../api-key/api-key.store.js';
import type { TenantId } from '../../principal/tenant-id.js';
import { readCursor } from './postgres-cursor.js';
import type { PostgresQuery } from './postgres-pool.js';
import { COLUMN_NAMES, Parameters, SELECTED } from './postgres-row.js';
import type { PostgresTable } from './postgres-table.js';
import { toTimestamp } from './postgres-time.js';

const MUTABLE = ['name', 'scopes', 'paths', 'allowedIps', 'notBefore', 'expiresAt', 'metadata', 'version'] as const;

/** Two stores may share a connection, on which one name means one statement. */
let preparedLookups = 0;

/** The statements of the store, each complete in itself: no transaction is held open between two round trips. */
export class PostgresStatements {
  readonly #keys: string;
  readonly #lookup: string | undefined;

  /** @param prepared whether the lookup is prepared on each connection */
  constructor(table: PostgresTable, prepared: boolean) {
    this.#keys = table.keys;
    this.#lookup = prepared ? `keyfence_lookup_${(preparedLookups += 1)}` : undefined;
  }

  findByLocator(locator: string): PostgresQuery {
    return { name: this.#lookup, text: `select ${SELECTED} from ${this.#keys} where locator = $1`, values: [locator] };
  }

  findById(tenantId: TenantId, id: string): PostgresQuery {
    return {
      text: `select ${SELECTED} from ${this.#keys} where id = $1 and tenant_id = $2`,
      values: [id, tenantId],
    };
  }

  list(tenantId: TenantId, query: ListKeysQuery): PostgresQuery {
    const { limit, cursor, includeRevoked, createdBefore, unusedSince } = query;
    const parameters = new Parameters();
    const conditions = [`tenant_id = ${parameters.text(tenantId)}`];
    const after = cursor === undefined ? undefined : readCursor(cursor);
    if (after !== undefined) {
      conditions.push(`(created_at, id) > (${parameters.time(after.createdAt)}, ${parameters.text(after.id)})`);
    }
    if (!includeRevoked) conditions.push('revoked_at is null');
    if (createdBefore !== undefined) conditions.push(`created_at < ${parameters.time(createdBefore)}`);
    if (unusedSince !== undefined) {
      conditions.push(`coalesce(last_used_at, created_at) < ${parameters.time(unusedSince)}`);
    }
    return {
      // One more than asked for tells whether there is a next page.
      text: `select ${SELECTED} from ${this.#keys} where ${conditions.join(' and ')}
        order by created_at, id limit ${parameters.add('integer', limit + 1)}`,
      values: parameters.values,
    };
  }

  insert(record: ApiKeyRecord): PostgresQuery {
    const parameters = new Parameters();
    return {
      text: `insert into ${this.#keys} (${COLUMN_NAMES}) values (${parameters.record(record)}) on conflict do nothing`,
      values: parameters.values,
    };
  }

  /** Writes also a key that is revoked already: a select beside it would not see what another process just wrote. */
  revoke(tenantId: TenantId, id: string, at: Date): PostgresQuery {
    return {
      text: `update ${this.#keys}
        set version = version + case when revoked_at is null then 1 else 0 end, revoked_at = coalesce(revoked_at, $3::timestamptz)
        where id = $1 and tenant_id = $2 returning ${SELECTED}`,
      values: [id, tenantId, toTimestamp(at)],
    };
  }

  update(record: ApiKeyRecord): PostgresQuery {
    const parameters = new Parameters();
    return {
      text: `update ${this.#keys} set ${parameters.assignments(record, MUTABLE)} where ${unchanged(parameters, record)}`,
      values: parameters.values,
    };
  }

  /** Inserts a row if the old key could be replaced. A successor whose id or locator is taken undoes all: 23505. */
  rotate(old: ApiKeyRecord, successor: ApiKeyRecord): PostgresQuery {
    const parameters = new Parameters();
    const replaced = parameters.assignments(old, ['rotatedTo', 'graceEndsAt', 'version']);
    return {
      text: `with replaced as (
          update ${this.#keys} set ${replaced} where ${unchanged(parameters, old)} returning id
        )
        insert into ${this.#keys} (${COLUMN_NAMES}) select ${parameters.record(successor)} from replaced`,
      values: parameters.values,
    };
  }

  /**
   * The rows are locked in the order of their ids, so that two processes never wait for each other; what is stale is decided
   * anew for a row that had to be waited for.
   */
  recordUses(uses: readonly KeyUse[]): PostgresQuery {
    return {
      text: `with used as (
          select id, max(at) as at from unnest($1::text[], $2::timestamptz[]) as given (id, at) group by id
        ), stale as (
          select k.id, used.at from ${this.#keys} k join used on used.id = k.id
          where k.last_used_at is null or k.last_used_at < used.at
          order by k.id for no key update of k
        )
        update ${this.#keys} k set last_used_at = stale.at from stale where k.id = stale.id`,
      values: [uses.map(({ id }) => id), uses.map(({ at }) => toTimestamp(at))],
    };
  }

  /** As {@link recordUses}. Of two changes of one digest the first counts. */
  replaceDigests(changes: readonly DigestChange[]): PostgresQuery {
    return {
      text: `with change as (
          select distinct on (id, replaced) * from unnest($1::text[], $2::text[], $3::text[], $4::text[])
            with ordinality as given (id, replaced, digest, digest_version, position)
          order by id, replaced, position
        ), outdated as (
          select k.id, change.digest, change.digest_version
          from ${this.#keys} k join change on change.id = k.id and change.replaced = k.digest
          order by k.id for no key update of k
        )
        update ${this.#keys} k set digest = outdated.digest, digest_version = outdated.digest_version
        from outdated where k.id = outdated.id`,
      values: [
        changes.map(({ id }) => id),
        changes.map(({ from }) => from),
        changes.map(({ digest }) => digest),
        changes.map(({ digestVersion }) => digestVersion),
      ],
    };
  }

  /**
   * What another process is just changing is left for the next time. The rows are chosen apart from the delete, which
   * might otherwise choose anew and exceed the limit.
   */
  prune(deadBefore: Date, limit: number): PostgresQuery {
    return {
      text: `with dead as materialized (
          select id from ${this.#keys} where least(revoked_at, expires_at, grace_ends_at) < $1::timestamptz
          limit $2::integer for update skip locked
        )
        delete from ${this.#keys} k using dead where k.id = dead.id`,
      values: [toTimestamp(deadBefore), limit],
    };
  }
}

/** That nobody has changed or ended the record since this change of it was prepared. */
function unchanged(parameters: Parameters, { id, tenantId, version }: ApiKeyRecord): string {
  return `id = ${parameters.text(id)} and tenant_id = ${parameters.text(tenantId)}
    and version = ${parameters.add('integer', version - 1)} and revoked_at is null and rotated_to is null`;
}
