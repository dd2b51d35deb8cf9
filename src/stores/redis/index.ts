export { RedisApiKeyStore, type RedisApiKeyStoreOptions } from './redis-api-key.store.js';
export type { IoRedisClient, NodeRedisClient, NodeRedisCluster, RedisClient } from './redis-client.js';
export { RedisInvalidationBus, type RedisInvalidationBusOptions } from './redis-invalidation-bus.js';
