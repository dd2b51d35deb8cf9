import { describe, it } from '@jest/globals';
import { InMemoryApiKeyStore } from '../../src/api-key/in-memory-api-key.store.js';
import { apiKeyStoreContract } from '../../src/testing/api-key-store-contract.js';

describe('InMemoryApiKeyStore', () => {
  for (const { name, run } of apiKeyStoreContract({ open: () => new InMemoryApiKeyStore() })) it(name, run);
});
