import { afterAll, beforeAll, it } from '@jest/globals';
import { RedisApiKeyStore } from '../../../src/stores/redis/index.js';
import { apiKeyStoreContract } from '../../../src/testing/index.js';
import { type ConnectedClient, eachTopology, freshPrefix, topologiesHere } from './redis-clients.js';

const { topologies, dispose } = await topologiesHere();

afterAll(dispose);

eachTopology(topologies, 'RedisApiKeyStore', ({ connect }) => {
  let clients: readonly [ConnectedClient, ConnectedClient];
  const prefixes = new WeakMap<RedisApiKeyStore, string>();

  beforeAll(async () => {
    clients = [await connect(), await connect()];
  });

  afterAll(() => {
    for (const { close } of clients) close();
  });

  const storeOn = (index: 0 | 1, keyPrefix: string): RedisApiKeyStore => {
    const store = new RedisApiKeyStore(clients[index].client, { keyPrefix });
    prefixes.set(store, keyPrefix);
    return store;
  };
  const cases = apiKeyStoreContract<RedisApiKeyStore>({
    open: () => storeOn(0, freshPrefix()),
    openAnother: (store) => storeOn(1, prefixes.get(store) ?? ''),
  });

  for (const { name, run } of cases) it(name, run);
});
