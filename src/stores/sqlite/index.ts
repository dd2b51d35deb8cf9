export { SQLITE_MIGRATIONS, type SqliteMigration } from './migrations.js';
export { SqliteApiKeyStore, type SqliteOptions } from './sqlite-api-key.store.js';
export type { SqliteDriverName } from './sqlite-driver.js';
