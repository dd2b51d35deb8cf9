/** One step of the schema. A step that was released is never changed; what is new comes as another step. */
export interface SqliteMigration {
  /** The schema's version after it: 1 for the first, and one more for each. */
  readonly version: number;
  /** Plain SQL. It also records its version, so that it can be run by hand, inside one transaction. */
  readonly sql: string;
}

/** The steps that make the tables of `SqliteApiKeyStore`, in order. `SqliteApiKeyStore.open` applies those that a file lacks. */
export const SQLITE_MIGRATIONS: readonly SqliteMigration[] = [
  {
    version: 1,
    sql: `
CREATE TABLE keyfence_schema (
  version INTEGER PRIMARY KEY NOT NULL
) STRICT;
INSERT INTO keyfence_schema (version) VALUES (1);

-- Times are milliseconds since 1970-01-01 UTC. What is a list or an object is JSON. NULL is "not set".
CREATE TABLE keyfence_api_keys (
  id             TEXT    PRIMARY KEY NOT NULL,
  locator        TEXT    NOT NULL,
  tenant_id      TEXT    NOT NULL,
  name           TEXT    NOT NULL,
  digest         TEXT    NOT NULL,
  digest_version TEXT    NOT NULL,
  scopes         TEXT    NOT NULL, -- a list of texts
  paths          TEXT,             -- a list of texts
  environment    TEXT    NOT NULL,
  allowed_ips    TEXT,             -- a list of texts
  created_at     INTEGER NOT NULL,
  not_before     INTEGER,
  expires_at     INTEGER,
  revoked_at     INTEGER,
  rotated_to     TEXT,             -- the id of the key that replaced this one
  grace_ends_at  INTEGER,
  lineage_id     TEXT    NOT NULL,
  last_used_at   INTEGER,
  metadata       TEXT,             -- an object
  version        INTEGER NOT NULL
) STRICT;

-- Every verification that no cache answers.
CREATE UNIQUE INDEX keyfence_api_keys_locator ON keyfence_api_keys (locator);
-- A tenant's list, a page at a time.
CREATE INDEX keyfence_api_keys_tenant ON keyfence_api_keys (tenant_id, created_at, id);
-- Pruning.
CREATE INDEX keyfence_api_keys_revoked ON keyfence_api_keys (revoked_at) WHERE revoked_at IS NOT NULL;
CREATE INDEX keyfence_api_keys_expires ON keyfence_api_keys (expires_at) WHERE expires_at IS NOT NULL;
CREATE INDEX keyfence_api_keys_grace ON keyfence_api_keys (grace_ends_at) WHERE grace_ends_at IS NOT NULL;
`,
  },
];
