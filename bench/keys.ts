import {
  ApiKeyStore,
  InMemoryApiKeyStore,
  type ApiKeyRecord,
  type KeyUse,
  type ManagedApiKeyStore,
  type Scope,
  type StoredApiKey,
  type TenantId,
} from 'nestjs-keyfence';
import { generateKey, KeyDigester } from './internals.js';

const FORMAT = { prefix: 'kf', environment: 'live' };
const UNPEPPERED = new KeyDigester();

/** A store with this many keys, and their texts. */
export async function fillStore(
  count: number,
): Promise<{ readonly store: InMemoryApiKeyStore; readonly texts: string[] }> {
  const store = new InMemoryApiKeyStore();
  return { store, texts: await addKeys(store, count) };
}

/** Adds new keys of the tenant `acme`, and gives their texts. */
export async function addKeys(
  store: ManagedApiKeyStore,
  count: number,
  digester: InstanceType<typeof KeyDigester> = UNPEPPERED,
): Promise<string[]> {
  const texts: string[] = [];
  for (let index = 0; index < count; index += 1) {
    const { text, locator } = generateKey(FORMAT);
    await store.insert(recordOf(text, locator, digester));
    texts.push(text);
  }
  return texts;
}

/** A key of the right form that is in no store. */
export function unknownKey(): string {
  return generateKey(FORMAT).text;
}

/** The record of one key, but another secret: the locator of `text`, and the rest of a new key. */
export async function storeWithWrongSecrets(texts: readonly string[]): Promise<InMemoryApiKeyStore> {
  const store = new InMemoryApiKeyStore();
  for (const text of texts) {
    await store.insert(recordOf(unknownKey(), locatorOf(text)));
  }
  return store;
}

export function locatorOf(text: string): string {
  return text.split('_')[1] ?? '';
}

/** Counts how often it is asked. */
export class CountingStore extends ApiKeyStore {
  calls = 0;

  constructor(private readonly inner: ApiKeyStore) {
    super();
  }

  findByLocator(locator: string): Promise<StoredApiKey | null> {
    this.calls += 1;
    return this.inner.findByLocator(locator);
  }
}

/** A store in memory that counts the calls of verification, and what is written on its behalf. */
export class CountingManagedStore extends InMemoryApiKeyStore {
  reads = 0;
  writes = 0;

  override findByLocator(locator: string): Promise<ApiKeyRecord | null> {
    this.reads += 1;
    return super.findByLocator(locator);
  }

  override recordUses(uses: readonly KeyUse[]): Promise<void> {
    this.writes += 1;
    return super.recordUses(uses);
  }
}

function recordOf(text: string, locator: string, digester = UNPEPPERED): ApiKeyRecord {
  return {
    id: locator,
    locator,
    tenantId: 'acme' as TenantId,
    name: 'benchmark',
    digest: digester.digest(text),
    digestVersion: digester.version,
    scopes: ['files:read', 'files:write', 'reports:read'] as unknown as readonly Scope[],
    environment: FORMAT.environment,
    createdAt: new Date(),
    lineageId: locator,
    version: 1,
  };
}
