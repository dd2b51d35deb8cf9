/**
 * Parts of the built library that are not public, for measuring a step by itself. They are named by their place in `dist`,
 * seen from the compiled benchmark; the types are seen from here.
 */
const at = (path: string): string => new URL(`../../dist/esm/${path}`, import.meta.url).href;

export const { ApiKeyAuthenticator } = (await import(
  at('api-key/api-key-authenticator.service.js')
)) as typeof import('../dist/esm/api-key/api-key-authenticator.service.js');

export const { generateKey } = (await import(
  at('api-key/api-key-format.js')
)) as typeof import('../dist/esm/api-key/api-key-format.js');

export const { KeyDigester } = (await import(
  at('api-key/key-digest.js')
)) as typeof import('../dist/esm/api-key/key-digest.js');

export const { KeyCache } = (await import(
  at('api-key/key-cache.js')
)) as typeof import('../dist/esm/api-key/key-cache.js');

export const { DeferredKeyWrites } = (await import(
  at('api-key/deferred-key-writes.service.js')
)) as typeof import('../dist/esm/api-key/deferred-key-writes.service.js');

export const { resolveOptions } = (await import(
  at('resolve-options.js')
)) as typeof import('../dist/esm/resolve-options.js');

export const { PostgresApiKeyStore, PostgresInvalidationBus } = (await import(
  at('stores/postgres/index.js')
)) as typeof import('../dist/esm/stores/postgres/index.js');

export const { RedisApiKeyStore, RedisInvalidationBus } = (await import(
  at('stores/redis/index.js')
)) as typeof import('../dist/esm/stores/redis/index.js');

export const { SqliteApiKeyStore } = (await import(
  at('stores/sqlite/index.js')
)) as typeof import('../dist/esm/stores/sqlite/index.js');

export const { loadSqliteDriver } = (await import(
  at('stores/sqlite/sqlite-driver.js')
)) as typeof import('../dist/esm/stores/sqlite/sqlite-driver.js');

export const { SystemClock } = (await import(at('time/clock.js'))) as typeof import('../dist/esm/time/clock.js');

export const { loadOpenat2, RESOLVE_CONFINED, O_CLOEXEC } = (await import(
  at('confined-fs/openat2.js')
)) as typeof import('../dist/esm/confined-fs/openat2.js');

export const { selectEngine } = (await import(
  at('confined-fs/select-engine.js')
)) as typeof import('../dist/esm/confined-fs/select-engine.js');

export const { RootDirectory } = (await import(
  at('confined-fs/root-directory.js')
)) as typeof import('../dist/esm/confined-fs/root-directory.js');

export const { READ_FLAGS } = (await import(
  at('confined-fs/open-flags.js')
)) as typeof import('../dist/esm/confined-fs/open-flags.js');
