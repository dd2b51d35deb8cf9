export { actingAs, type ActingKey, type ApplicationUnderTest } from './acting-as.js';
export { apiKeyStoreContract } from './api-key-store-contract.js';
export type { ApiKeyStoreSubject, ContractCase } from './contract/contract-case.js';
export { FakeClock } from './fake-clock.js';
export { createTestKey, type TestKey, type TestKeyOptions } from './test-key.js';
export { Clock } from '../time/clock.js';
