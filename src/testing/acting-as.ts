import { API_KEY_OPTIONS, type ApiKeyOptions } from '../api-key/api-key-options.js';
import { ApiKeyService } from '../api-key/api-key.service.js';
import { ApiKeyStore, ManagedApiKeyStore } from '../api-key/api-key.store.js';
import type { NewApiKey } from '../api-key/new-api-key.js';
import { KeyfenceConfigurationError } from '../errors/configuration.error.js';

/** Whom a request is to come from: what its key may do, and whose it is. */
export interface ActingKey extends Omit<NewApiKey, 'name'> {
  readonly tenantId: string;
  /** @default 'test key' */
  readonly name?: string;
}

/** What is needed of an application: what `createNestApplication()` or `compile()` of a testing module gives. */
export interface ApplicationUnderTest {
  get(token: symbol | (abstract new (...args: never[]) => object)): unknown;
}

/**
 * Issues a key in an application under test and gives the headers of a request that carries it, for supertest's `.set()`
 * and Fastify's `inject()`. The key is a real one and passes the real guard, or does not: nothing is switched off, and the
 * route still needs the scopes that it needs.
 * @throws KeyfenceConfigurationError for a bad tenant id, scope or limit, and for a store that cannot keep keys; then replace
 *   it: `overrideProvider(ApiKeyStore).useValue(new InMemoryApiKeyStore())`
 * @example
 * const headers = await actingAs(app, { tenantId: 'acme', scopes: ['files:read'] });
 * await request(app.getHttpServer()).get('/files').set(headers).expect(200);
 */
export async function actingAs(app: ApplicationUnderTest, key: ActingKey): Promise<Record<string, string>> {
  if (!(app.get(ApiKeyStore) instanceof ManagedApiKeyStore)) {
    throw new KeyfenceConfigurationError(
      'actingAs(app)',
      'found a store that keys cannot be added to',
      'Replace it in the test: overrideProvider(ApiKeyStore).useValue(new InMemoryApiKeyStore()).',
    );
  }
  const { tenantId, name = 'test key', ...limits } = key;
  const { header } = app.get(API_KEY_OPTIONS) as ApiKeyOptions;
  const keys = (app.get(ApiKeyService) as ApiKeyService).forTenant(tenantId);
  const { secret } = await keys.issue({ ...limits, name });
  return { [header]: secret.reveal() };
}
