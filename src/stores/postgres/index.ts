export { PostgresApiKeyStore, type PostgresApiKeyStoreOptions } from './postgres-api-key.store.js';
export { PostgresInvalidationBus, type PostgresInvalidationBusOptions } from './postgres-invalidation-bus.js';
export { POSTGRES_MIGRATIONS, postgresMigrations, type PostgresMigration } from './postgres-migrations.js';
export type {
  PostgresClient,
  PostgresNotification,
  PostgresPool,
  PostgresQuery,
  PostgresResult,
} from './postgres-pool.js';
export type { PostgresTableOptions } from './postgres-table.js';
