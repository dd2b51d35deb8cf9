import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { InMemoryApiKeyStore } from '../../src/api-key/in-memory-api-key.store.js';
import { redactKeys } from '../../src/api-key/redact-keys.js';
import { CountingStore } from '../support/counting-store.js';
import { refusal, startAccountApp, type AccountApp } from './support/account-app.js';
import { WAYS } from './support/ways.js';

describe.each(WAYS)('on $name', (way) => {
  let app: AccountApp;
  let store: CountingStore;

  beforeAll(async () => {
    store = new CountingStore(new InMemoryApiKeyStore());
    app = await startAccountApp(way, store, { apiKey: { prefix: 'acme2', environment: 'test' } });
  });
  beforeEach(() => {
    app.runs.length = 0;
    store.reset();
  });
  afterAll(() => app.close());

  it('1 a key begins with the prefix and the environment of the team, and is good there alone', async () => {
    const { text } = await app.issue();
    expect(text).toMatch(/^acme2test_[0-9a-f]{16}_[0-9A-Za-z]{43}$/);
    expect(await app.call('GET /data', text)).toMatchObject({ status: 200, body: { tenant: 'acme' } });
    for (const apiKey of [{}, { prefix: 'acme2' }, { prefix: 'acme', environment: 'test' }]) {
      await using other = await startAccountApp(way, store, { apiKey });
      expect(await other.call('GET /data', text)).toMatchObject(refusal(401, 'invalid_api_key'));
      expect(other.runs).toEqual([]);
    }
  });

  it('3 keys that are issued at the same time are all different, and each is itself', async () => {
    const keys = await Promise.all(Array.from({ length: 60 }, () => app.issue()));
    for (const parts of [
      keys.map(({ text }) => text),
      keys.map(({ text }) => text.slice(-43)),
      keys.map(({ record }) => record.id),
      keys.map(({ record }) => record.locator),
      keys.map(({ record }) => record.digest),
    ]) {
      expect(new Set(parts).size).toBe(60);
    }
    for (const { text, record } of keys.slice(0, 10)) {
      expect(await app.call('GET /whoami', text)).toMatchObject({ body: { principal: { keyId: record.id } } });
    }
  });

  it('4 a key with one character changed is refused, and nobody asks the store', async () => {
    const { text } = await app.issue();
    store.reset();
    for (let position = 0; position < text.length; position += 4) {
      const other = text[position] === '1' ? '2' : '1';
      const changed = text.slice(0, position) + other + text.slice(position + 1);
      expect(await app.call('GET /data', changed)).toMatchObject(refusal(401, 'invalid_api_key'));
    }
    expect(app.runs).toEqual([]);
    expect(store.calls).toEqual([]);
    // Control: the key itself is looked up.
    expect(await app.call('GET /data', text)).toMatchObject({ status: 200 });
    expect(store.calls).toEqual(['findByLocator']);
  });

  it('5 what may be shown of a key does not open anything', async () => {
    const { text, record } = await app.issue();
    const [label = '', id = ''] = text.split('_');
    const redacted = redactKeys(`key=${text}`, { prefix: 'acme2' }).slice('key='.length);
    expect(redacted).toContain(id);
    const shown = [redacted, label, `${label}_`, `${label}_${id}`, `${label}_${id}_`, id, record.id, record.locator];
    for (const part of [...shown, record.digest, `${label}_${id}_${record.digest}`, text.slice(0, -6)]) {
      expect(await app.call('GET /data', part)).toMatchObject(refusal(401, 'invalid_api_key'));
    }
    expect(app.runs).toEqual([]);
  });
});
