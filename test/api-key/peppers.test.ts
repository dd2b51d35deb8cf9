import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { inspect } from 'node:util';
import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { Logger } from '@nestjs/common';
import type { ApiKeyRecord } from '../../src/api-key/api-key-record.js';
import type { ApiKeyStore, DigestChange } from '../../src/api-key/api-key.store.js';
import { InMemoryApiKeyStore } from '../../src/api-key/in-memory-api-key.store.js';
import { deriveLocator, KeyDigester } from '../../src/api-key/key-digest.js';
import type { InvalidKeyReason } from '../../src/errors/authentication.exceptions.js';
import type { TenantId } from '../../src/principal/tenant-id.js';
import { CapturedLog } from '../support/captured-log.js';
import { CountingStore, StubStore } from '../support/counting-store.js';
import { CACHE_DEFAULTS, KeyServices } from '../support/key-services.js';
import { sampleKey, withWrongSecret, type RecordFields } from '../support/sample-key.js';

interface FrozenKey {
  readonly text: string;
  readonly locator: string;
  readonly digests: Readonly<Record<string, string>>;
}

/** What an older release has stored. See fixtures/README.md. */
const FROZEN = JSON.parse(
  readFileSync(fileURLToPath(new URL('../fixtures/digests.json', import.meta.url)), 'utf8'),
) as {
  readonly peppers: { readonly v1: string; readonly v2: string };
  readonly keys: readonly [FrozenKey, ...FrozenKey[]];
};

const { v1, v2 } = FROZEN.peppers;
const [KEY] = FROZEN.keys;
const VERSIONS = ['sha256', 'hmac-sha256:v1', 'hmac-sha256:v2'];
const INTERVAL = 10_000;
const ACME = 'acme' as TenantId;

/** The releases of an application, one after another. */
const UNPEPPERED = new KeyDigester();
const FIRST = new KeyDigester({ current: 'v1', secrets: { v1 } });
const BOTH = new KeyDigester({ current: 'v2', secrets: { v1, v2 } });
const LAST = new KeyDigester({ current: 'v2', secrets: { v2 } });

const AUTHENTICATED = { status: 'authenticated', principal: { keyId: 'key_1' } };

function denied(reason: InvalidKeyReason): object {
  return { status: 'invalid', reason };
}

function recordOf(
  { text, locator, digests }: FrozenKey,
  digestVersion: string,
  fields: RecordFields = {},
): ApiKeyRecord {
  const environment = text.startsWith('kflive_') ? 'live' : 'any';
  return sampleKey({ id: 'key_1', locator, digest: digests[digestVersion], digestVersion, environment, ...fields })
    .record;
}

function process(store: ApiKeyStore, digester: KeyDigester): KeyServices {
  return new KeyServices(store, { digester, cache: CACHE_DEFAULTS }).recordEvents();
}

async function storeWith(
  record: ApiKeyRecord,
): Promise<{ memory: InMemoryApiKeyStore; stored: () => Promise<ApiKeyRecord> }> {
  const memory = new InMemoryApiKeyStore(true);
  await memory.insert(record);
  const stored = async (): Promise<ApiKeyRecord> => {
    const found = await memory.findById(ACME, record.id);
    if (found === null) throw new Error('The record is gone.');
    return found;
  };
  return { memory, stored };
}

let log: CapturedLog;

beforeEach(() => {
  log = new CapturedLog();
  Logger.overrideLogger(log);
  jest.useFakeTimers();
});

afterEach(() => {
  Logger.overrideLogger(false);
  jest.useRealTimers();
});

describe.each(FROZEN.keys.map((key) => ({ key, text: key.text })))('what is stored of $text', ({ key }) => {
  it.each(VERSIONS)('opens with it in version %s, and with no other digest', async (version) => {
    const { memory } = await storeWith(recordOf(key, version));
    expect(await process(memory, BOTH).present(key.text)).toMatchObject(AUTHENTICATED);
    const digest = key.digests[version]?.replace(/^./, (first) => (first === '0' ? '1' : '0'));
    const other = await storeWith(recordOf(key, version, { digest }));
    expect(await process(other.memory, BOTH).present(key.text)).toMatchObject(denied('wrong_secret'));
  });

  it('is what is stored today', () => {
    expect([UNPEPPERED, FIRST, BOTH, LAST].map((digester) => [digester.version, digester.digest(key.text)])).toEqual([
      ['sha256', key.digests.sha256],
      ['hmac-sha256:v1', key.digests['hmac-sha256:v1']],
      ['hmac-sha256:v2', key.digests['hmac-sha256:v2']],
      ['hmac-sha256:v2', key.digests['hmac-sha256:v2']],
    ]);
    if (!key.text.startsWith('kflive_')) expect(deriveLocator(key.text)).toBe(key.locator);
  });

  it('goes from no pepper to the first, to the second, and the first is taken away', async () => {
    const { memory, stored } = await storeWith(recordOf(key, 'sha256'));
    for (const [digester, version] of [
      [UNPEPPERED, 'sha256'],
      [FIRST, 'hmac-sha256:v1'],
      [BOTH, 'hmac-sha256:v2'],
      [LAST, 'hmac-sha256:v2'],
    ] as const) {
      const { present } = process(memory, digester);
      expect(await present(key.text)).toMatchObject(AUTHENTICATED);
      await jest.advanceTimersByTimeAsync(INTERVAL);
      expect(await stored()).toMatchObject({ digest: key.digests[version], digestVersion: version });
      expect(await present(key.text)).toMatchObject(AUTHENTICATED);
      expect(await present(key.text.replace('Key', 'Kez').replace('key', 'kez'))).toMatchObject({ status: 'invalid' });
    }
    expect(await process(memory, FIRST).present(key.text)).toMatchObject(denied('unknown_digest_version'));
  });
});

describe('a digest that is made anew', () => {
  it('changes nothing else of the record', async () => {
    const lastUsedAt = new Date('2026-12-31');
    const dates = { notBefore: new Date(1), expiresAt: new Date('2027-01-01'), lastUsedAt };
    const limits = {
      paths: ['a/**'],
      metadata: { plan: 'pro' },
      rotatedTo: 'key_2',
      graceEndsAt: new Date('2026-12-01'),
    };
    const { memory, stored } = await storeWith(recordOf(KEY, 'hmac-sha256:v1', { ...dates, ...limits, version: 7 }));
    const before = await stored();
    await process(memory, BOTH).present(KEY.text);
    await jest.advanceTimersByTimeAsync(INTERVAL);
    const { digest, digestVersion, ...rest } = await stored();
    expect({ digest, digestVersion }).toEqual({
      digest: KEY.digests['hmac-sha256:v2'],
      digestVersion: 'hmac-sha256:v2',
    });
    expect({ ...rest, digest: before.digest, digestVersion: before.digestVersion }).toEqual(before);
  });

  it('is written once, however often the key is used, and nobody waits for it', async () => {
    const { memory } = await storeWith(recordOf(KEY, 'sha256'));
    const store = new CountingStore(memory);
    const { present } = process(store, FIRST);
    for (let count = 0; count < 20; count += 1) await present(KEY.text);
    expect(store.calls).toEqual(['findByLocator']);
    await jest.advanceTimersByTimeAsync(INTERVAL);
    await present(KEY.text);
    await jest.advanceTimersByTimeAsync(INTERVAL);
    expect(store.calls.filter((name) => name === 'replaceDigests')).toHaveLength(1);
  });

  it.each<[string, RecordFields, (text: string) => string]>([
    ['another secret', {}, withWrongSecret],
    ['a revoked key', { revokedAt: new Date(0) }, (text) => text],
    ['an expired key', { expiresAt: new Date(0) }, (text) => text],
    ['a key of another address', { allowedIps: ['203.0.113.7'] }, (text) => text],
  ])('is none for %s', async (_what, fields, sent) => {
    const { memory, stored } = await storeWith(recordOf(KEY, 'sha256', fields));
    const store = new CountingStore(memory);
    expect(await process(store, FIRST).present(sent(KEY.text))).toMatchObject({ status: 'invalid' });
    await jest.advanceTimersByTimeAsync(INTERVAL);
    expect(store.writes).toBe(0);
    expect(await stored()).toMatchObject({ digestVersion: 'sha256' });
  });

  it('is none for the current version', async () => {
    const { memory } = await storeWith(recordOf(KEY, 'hmac-sha256:v2'));
    const store = new CountingStore(memory);
    await process(store, BOTH).present(KEY.text);
    await jest.advanceTimersByTimeAsync(INTERVAL);
    expect(store.calls).toEqual(['findByLocator', 'recordUses']);
  });

  it('that could not be written leaves the key as it was, and is written later', async () => {
    const { memory, stored } = await storeWith(recordOf(KEY, 'sha256'));
    const { present, recorded } = process(memory, FIRST);
    jest.spyOn(memory, 'replaceDigests').mockRejectedValueOnce(new Error(KEY.text));
    await present(KEY.text);
    await jest.advanceTimersByTimeAsync(INTERVAL);
    expect(await stored()).toMatchObject({ digestVersion: 'sha256' });
    expect(await present(KEY.text)).toMatchObject(AUTHENTICATED);
    expect(recorded).toMatchObject([{ type: 'deferred_write_failed', reason: 'Error' }]);
    await jest.advanceTimersByTimeAsync(INTERVAL);
    expect(await stored()).toMatchObject({ digestVersion: 'hmac-sha256:v1' });
  });

  it('is not asked of a store that only looks keys up', async () => {
    const { present } = process(new StubStore(() => recordOf(KEY, 'sha256')), FIRST);
    expect(await present(KEY.text)).toMatchObject(AUTHENTICATED);
    expect(jest.getTimerCount()).toBe(0);
  });

  it('disturbs no process that has the old one in its cache', async () => {
    const { memory } = await storeWith(recordOf(KEY, 'hmac-sha256:v1'));
    const [older, newer] = [process(memory, FIRST), process(memory, BOTH)];
    await older.present(KEY.text);
    await newer.present(KEY.text);
    await jest.advanceTimersByTimeAsync(INTERVAL);
    expect(await older.present(KEY.text)).toMatchObject(AUTHENTICATED);
    // It does not know the new pepper: deploy the new secret everywhere before it becomes the current one.
    older.clock.advance(CACHE_DEFAULTS.ttl + 1);
    expect(await older.present(KEY.text)).toMatchObject(denied('unknown_digest_version'));
  });

  it('is one that opens, where releases with different current peppers run side by side', async () => {
    const { memory, stored } = await storeWith(recordOf(KEY, 'sha256'));
    const older = process(memory, new KeyDigester({ current: 'v1', secrets: { v1, v2 } }));
    const newer = process(memory, BOTH);
    for (let round = 0; round < 5; round += 1) {
      for (const { present, clock } of [older, newer]) {
        expect(await present(KEY.text)).toMatchObject(AUTHENTICATED);
        clock.advance(CACHE_DEFAULTS.ttl + 1);
      }
      await jest.advanceTimersByTimeAsync(INTERVAL);
      const { digest, digestVersion } = await stored();
      expect(digest).toBe(KEY.digests[digestVersion]);
    }
  });
});

describe('a key that is revoked while its digest is made anew', () => {
  /** Whoever writes digests waits here until the test lets them. */
  class HeldStore extends CountingStore {
    release: () => void = () => undefined;

    override async replaceDigests(changes: readonly DigestChange[]): Promise<void> {
      await new Promise<void>((resolve) => (this.release = resolve));
      await super.replaceDigests(changes);
    }
  }

  it.each(['before it is written', 'while it is written', 'after it was written'])(
    'stays revoked: %s',
    async (when) => {
      const { memory, stored } = await storeWith(recordOf(KEY, 'hmac-sha256:v1'));
      const store = new HeldStore(memory);
      const { present, service, clock } = process(store, BOTH);
      const revoke = async (): Promise<unknown> => service.forTenant('acme').revoke('key_1');
      expect(await present(KEY.text)).toMatchObject(AUTHENTICATED);
      if (when.startsWith('before')) await revoke();
      await jest.advanceTimersByTimeAsync(INTERVAL);
      if (when.startsWith('while')) await revoke();
      store.release();
      await jest.advanceTimersByTimeAsync(0);
      if (when.startsWith('after')) await revoke();
      expect(await stored()).toMatchObject({ digestVersion: 'hmac-sha256:v2', revokedAt: clock.in(0), version: 2 });
      expect(await present(KEY.text)).toMatchObject(denied('revoked'));
      expect(await process(memory, LAST).present(KEY.text)).toMatchObject(denied('revoked'));
    },
  );
});

describe('a version that is not known', () => {
  it.each(['hmac-sha256:v1', 'hmac-sha256:v9', 'hmac-sha256:', 'hmac-sha256:__proto__', 'md5', 'plain'])(
    'denies the key, and is told of without key, digest or pepper: %s',
    async (digestVersion) => {
      const digest = KEY.digests[digestVersion] ?? KEY.digests['hmac-sha256:v2'];
      const { memory, stored } = await storeWith(recordOf(KEY, 'hmac-sha256:v2', { digest, digestVersion }));
      const { present, recorded, clock } = process(memory, LAST);
      for (let count = 0; count < 3; count += 1) {
        expect(await present(KEY.text)).toMatchObject(denied('unknown_digest_version'));
      }
      expect(recorded[0]).toMatchObject({
        type: 'record_refused',
        at: clock.in(0),
        reason: expect.stringContaining('pepper'),
      });
      expect(log.textOf('error')).toContain('apiKey.peppers');
      expect(log.lines).toHaveLength(1);
      for (const secret of [KEY.text, KEY.text.slice(24), String(digest), KEY.locator, v1, v2]) {
        expect(JSON.stringify(recorded) + log.textOf()).not.toContain(secret);
      }
      await jest.advanceTimersByTimeAsync(INTERVAL);
      expect(await stored()).toMatchObject({ digest, digestVersion });
      expect((await stored()).lastUsedAt).toBeUndefined();
    },
  );

  it('opens again when its pepper is given back', async () => {
    const { memory } = await storeWith(recordOf(KEY, 'hmac-sha256:v1'));
    expect(await process(memory, LAST).present(KEY.text)).toMatchObject(denied('unknown_digest_version'));
    expect(await process(memory, BOTH).present(KEY.text)).toMatchObject(AUTHENTICATED);
  });

  it('is not the version of a pepper with the same name and another secret', async () => {
    const { memory } = await storeWith(recordOf(KEY, 'hmac-sha256:v1'));
    const swapped = new KeyDigester({ current: 'v1', secrets: { v1: v2 } });
    expect(await process(memory, swapped).present(KEY.text)).toMatchObject(denied('wrong_secret'));
  });

  it('is that of every peppered digest where no pepper is configured', async () => {
    const { memory } = await storeWith(recordOf(KEY, 'hmac-sha256:v1'));
    expect(await process(memory, UNPEPPERED).present(KEY.text)).toMatchObject(denied('unknown_digest_version'));
  });
});

it('a pepper is shown by nothing that holds it', () => {
  const services = process(new InMemoryApiKeyStore(), BOTH);
  const shown = inspect(services, { depth: 20, showHidden: true }) + JSON.stringify(services.options);
  expect(shown).toContain('hmac-sha256:v2');
  for (const secret of [v1, v2]) expect(shown).not.toContain(secret);
});

it('a new key has a digest of the current version, and works where only that one is left', async () => {
  const memory = new InMemoryApiKeyStore();
  const { record, secret } = await process(memory, BOTH)
    .service.forTenant('acme')
    .issue({ name: 'ci', scopes: ['a:b'] });
  expect(record.digestVersion).toBe('hmac-sha256:v2');
  expect(await process(memory, LAST).present(secret.reveal())).toMatchObject({ status: 'authenticated' });
  expect(await process(memory, FIRST).present(secret.reveal())).toMatchObject(denied('unknown_digest_version'));
});
