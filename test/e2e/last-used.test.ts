import { describe, expect, it } from '@jest/globals';
import { InMemoryApiKeyStore } from '../../src/api-key/in-memory-api-key.store.js';
import type { TenantId } from '../../src/principal/tenant-id.js';
import { PLATFORMS } from '../support/adapters.js';
import { MODES, startGuardedApp } from '../support/guarded-app.js';
import { storedKey } from '../support/sample-key.js';

const ACME = 'acme' as TenantId;
const TABLE = PLATFORMS.flatMap((platform) =>
  MODES.map((mode) => ({ platform, mode, name: `${platform.name}: ${mode.name}` })),
);

describe.each(TABLE)('$name', ({ platform, mode }) => {
  it('the last use of a key is in the store when the application has ended, and a refusal is no use', async () => {
    const store = new InMemoryApiKeyStore();
    const used = await storedKey(store, { id: 'key_1' });
    const refused = await storedKey(store, { id: 'key_2', revokedAt: new Date(0) });
    const app = await startGuardedApp(platform, mode, { store });
    try {
      expect(await app.send('GET /files', { key: used })).toMatchObject({ status: 200 });
      expect(await app.send('GET /files', { key: refused })).toMatchObject({ status: 401 });
      expect((await store.findById(ACME, 'key_1'))?.lastUsedAt).toBeUndefined();
    } finally {
      await app.close();
    }
    expect((await store.findById(ACME, 'key_1'))?.lastUsedAt).toEqual(app.clock.in(0));
    expect((await store.findById(ACME, 'key_2'))?.lastUsedAt).toBeUndefined();
  });
});
