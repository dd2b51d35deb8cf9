import { parsePostgresTable, type PostgresTable, type PostgresTableOptions } from './postgres-table.js';

/** One step of the schema. It is whole: run it in a transaction, and it also notes that it ran. */
export interface PostgresMigration {
  /** From 1, without gaps. */
  readonly version: number;
  readonly sql: string;
}

/**
 * The steps for a table and schema of another name.
 * @throws KeyfenceConfigurationError for a name that is no plain identifier
 */
export function postgresMigrations(options?: PostgresTableOptions): readonly PostgresMigration[] {
  return migrationsFor(parsePostgresTable(options));
}

/** A migration that was released is never changed: a new one is added. */
export function migrationsFor(table: PostgresTable): readonly PostgresMigration[] {
  return [{ version: 1, sql: initial(table) }];
}

/*
 * - Identifiers compare by bytes (`collate "C"`), whatever the database's language, so that pages sort as everywhere.
 * - Lists are text[]: `{}` and null differ, a null in a list can be forbidden, and people can query them.
 * - Metadata is json and not jsonb, which refuses some strings that JSON can hold, and would reorder the fields.
 * - timestamptz(3) is what a Date holds; `infinity` is no Date.
 * - No index has last_used_at, and pages have room: noting uses then rewrites no index.
 */
function initial({ keys, migrations, named }: PostgresTable): string {
  return `create table ${migrations} (
  version integer primary key,
  applied_at timestamptz not null default now()
);

create table ${keys} (
  id text collate "C" not null,
  locator text collate "C" not null,
  tenant_id text collate "C" not null,
  name text not null,
  digest text not null,
  digest_version text not null,
  scopes text[] not null,
  paths text[],
  environment text not null,
  allowed_ips text[],
  created_at timestamptz(3) not null,
  not_before timestamptz(3),
  expires_at timestamptz(3),
  revoked_at timestamptz(3),
  rotated_to text collate "C",
  grace_ends_at timestamptz(3),
  lineage_id text collate "C" not null,
  last_used_at timestamptz(3),
  metadata json,
  version integer not null,
  constraint ${named('pkey')} primary key (id),
  constraint ${named('locator_key')} unique (locator),
  constraint ${named('lists_check')} check (
    array_position(scopes, null) is null and coalesce(array_ndims(scopes), 1) = 1
    and array_position(paths, null) is null and coalesce(array_ndims(paths), 1) = 1
    and array_position(allowed_ips, null) is null and coalesce(array_ndims(allowed_ips), 1) = 1
  ),
  constraint ${named('dates_check')} check (
    isfinite(created_at) and isfinite(not_before) and isfinite(expires_at)
    and isfinite(revoked_at) and isfinite(grace_ends_at) and isfinite(last_used_at)
  ),
  constraint ${named('rotation_check')} check ((rotated_to is null) = (grace_ends_at is null)),
  constraint ${named('metadata_check')} check (json_typeof(metadata) = 'object')
) with (fillfactor = 85);

create index ${named('tenant_idx')} on ${keys} (tenant_id, created_at, id);
create index ${named('end_idx')} on ${keys} (least(revoked_at, expires_at, grace_ends_at))
  where least(revoked_at, expires_at, grace_ends_at) is not null;

insert into ${migrations} (version) values (1);
`;
}

/** The steps for the default table. `store.migrate()` runs those that are missing; or run their `sql` yourself. */
export const POSTGRES_MIGRATIONS: readonly PostgresMigration[] = postgresMigrations();
