import { describe, expect, it, jest } from '@jest/globals';
import { inspect } from 'node:util';
import type { TenantId } from '../../src/principal/tenant-id.js';
import { StubStore } from '../support/counting-store.js';
import { sampleKey, type RecordFields } from '../support/sample-key.js';
import type { Answer } from '../support/send.js';
import { keyIn, MANAGER_SCOPES, refusal, startAccountApp, visible } from './support/account-app.js';
import { storesForThisFile } from './support/stores.js';
import { TWO_WAYS, WAYS } from './support/ways.js';

jest.setTimeout(30_000);

const stores = await storesForThisFile();
const ACME = 'acme' as TenantId;
const PEPPER = 'a pepper of more than thirty-two characters';
const NEWER = 'another pepper, of more than thirty-two too';

const IN_EACH = stores.flatMap((store) =>
  TWO_WAYS.map((way) => ({ name: `${store.name} on ${way.name}`, store, way })),
);

describe.each(IN_EACH)('with $name', ({ store: { open }, way }) => {
  it('11 the text of a key is in the answer that made it, and nowhere else', async () => {
    const { store, dump } = await open();
    await using app = await startAccountApp(way, store);
    const manager = await app.issue({ scopes: MANAGER_SCOPES });
    const texts = [manager.text];
    const rest: unknown[] = [manager.record, inspect(manager.record, { depth: null, showHidden: true })];
    const calls = async (...lines: readonly (readonly [line: string, key: string, body?: object])[]): Promise<void> => {
      for (const [line, key, body] of lines) rest.push(visible(await app.call(line, key, body)));
    };

    const made = keyIn(await app.call('POST /keys', manager.text, { name: 'made', scopes: ['data:read'] }));
    const { id } = made.record;
    await calls(
      ['GET /data', made.key],
      ['POST /data', made.key],
      ['GET /whoami/request', made.key],
      [`GET /keys/${id}`, manager.text],
      ['GET /keys', manager.text],
      [`PATCH /keys/${id}`, manager.text, { name: 'renamed' }],
      [`GET /keys/${made.key}`, manager.text],
    );
    const replaced = keyIn(await app.call(`POST /keys/${id}/rotate`, manager.text, { immediate: true }));
    await calls(
      ['GET /data', made.key],
      [`DELETE /keys/${replaced.record.id}`, manager.text],
      ['GET /data', replaced.key],
      ['GET /keys?all=true', manager.text],
    );
    texts.push(made.key, replaced.key);
    await app.close();

    const everywhere = [
      JSON.stringify([rest, app.events]),
      inspect(rest, { depth: null }),
      app.log.textOf(),
      await dump(),
    ];
    for (const text of texts) {
      const secret = text.split('_')[2] ?? '';
      expect(secret).toHaveLength(43);
      for (const place of everywhere) expect(place).not.toContain(secret);
    }
    // Control: the same places hold what may be known of the keys.
    expect(everywhere[0]).toContain(made.record.locator);
    expect(everywhere[3]).toContain(made.record.locator);
    expect(app.events.length).toBeGreaterThan(5);
  });

  it('11 no answer over HTTP holds a digest', async () => {
    const { store, dump } = await open();
    await using app = await startAccountApp(way, store);
    const manager = await app.issue({ scopes: MANAGER_SCOPES });
    const answers: Answer[] = [
      await app.call('POST /keys', manager.text, { name: 'made', scopes: ['data:read'] }),
      await app.call('GET /keys', manager.text),
      await app.call(`GET /keys/${manager.record.id}`, manager.text),
      await app.call(`DELETE /keys/${manager.record.id}`, manager.text),
    ];
    for (const { status, text } of answers) {
      expect(status).toBeLessThan(300);
      expect(text).not.toMatch(/[0-9a-f]{64}/);
      expect(text).not.toContain('"digest"');
    }
    expect(await dump()).toContain(manager.record.digest);
  });

  it('12 nothing that is stored can be presented as a key', async () => {
    const { store, dump } = await open();
    await using app = await startAccountApp(way, store, { cache: false });
    const { text, record } = await app.issue();
    expect(await app.call('GET /data', text)).toMatchObject({ status: 200 });
    app.runs.length = 0;
    const stolen = await dump();
    const words = new Set(stolen.match(/[\w.:-]{8,512}/g));
    const composed = [
      `kflive_${record.locator}_${record.digest}`,
      `kflive_${record.locator}_${record.digest.slice(0, 43)}`,
    ];
    expect([...words].join(' ')).toContain(record.digest);
    for (const word of [...words, ...composed]) {
      expect(await app.call('GET /data', word)).toMatchObject(refusal(401, 'invalid_api_key'));
    }
    expect(app.runs).toEqual([]);
  });

  it('12, 13 a key whose digest was made with a pepper is useless where there is none, or another', async () => {
    const opened = await open();
    const { store } = opened;
    const peppers = { current: '1', secrets: { '1': PEPPER } };
    await using app = await startAccountApp(way, store, { apiKey: { peppers } });
    const { text, record } = await app.issue();
    expect(await app.call('GET /data', text)).toMatchObject({ status: 200 });
    expect(record.digestVersion).toBe('hmac-sha256:1');

    const unknown = await app.call('GET /data', sampleKey().text);
    for (const apiKey of [{}, { peppers: { current: '2', secrets: { '2': PEPPER } } }]) {
      await using other = await startAccountApp(way, await opened.another(), { apiKey });
      const answer = await other.call('GET /data', text);
      expect(answer).toMatchObject(refusal(401, 'invalid_api_key'));
      expect(visible(answer)).toEqual(visible(unknown));
      expect(other.runs).toEqual([]);
      expect(other.events.map(({ type }) => type).sort()).toEqual(['access_denied', 'record_refused']);
      expect(other.events).toContainEqual(expect.objectContaining({ reason: 'unknown_digest_version' }));
    }
    // The right version with another secret is a wrong secret, and no fault of the store.
    const wrong = { current: '1', secrets: { '1': NEWER } };
    await using third = await startAccountApp(way, await opened.another(), { apiKey: { peppers: wrong } });
    expect(visible(await third.call('GET /data', text))).toEqual(visible(unknown));
    expect(third.events).toEqual([expect.objectContaining({ reason: 'wrong_secret' })]);
  });

  it('13, 14 a digest of an older kind is good, and is made anew by the use of its key', async () => {
    const opened = await open();
    const { store } = opened;
    await using plain = await startAccountApp(way, store);
    const { text, record } = await plain.issue();
    const versions: string[] = [];
    const use = async (peppers: { current: string; secrets: Record<string, string> }): Promise<void> => {
      await using app = await startAccountApp(way, store, { apiKey: { peppers } });
      expect(await app.call('GET /data', text)).toMatchObject({ status: 200 });
      // Twice: the second is answered from what the cache has.
      expect(await app.call('GET /data', text)).toMatchObject({ status: 200 });
      await app.close();
      const stored = await (await opened.another()).findById(ACME, record.id);
      versions.push(stored?.digestVersion ?? '');
      expect(stored).toEqual({
        ...record,
        digest: stored?.digest,
        digestVersion: stored?.digestVersion,
        lastUsedAt: stored?.lastUsedAt,
      });
      expect(stored?.digest).not.toBe(record.digest);
    };
    await use({ current: '1', secrets: { '1': PEPPER } });
    await use({ current: '2', secrets: { '1': PEPPER, '2': NEWER } });
    await use({ current: '2', secrets: { '2': NEWER } });
    expect(versions).toEqual(['hmac-sha256:1', 'hmac-sha256:2', 'hmac-sha256:2']);

    await using without = await startAccountApp(way, store);
    expect(await without.call('GET /data', text)).toMatchObject(refusal(401, 'invalid_api_key'));
  });
});

const HOSTILE: readonly (readonly [what: string, fields: RecordFields])[] = [
  ['an end that is a text', { expiresAt: '2999-01-01' }],
  ['an end that is no date', { expiresAt: new Date(Number.NaN) }],
  ['an end that is a number', { expiresAt: 1e15 }],
  ['a start that is a text', { notBefore: 'always' }],
  ['a digest that is short', { digest: 'ab' }],
  ['a digest that is no text', { digest: 5 }],
  ['no tenant', { tenantId: undefined }],
  ['a tenant that is a path', { tenantId: '../globex' }],
  ['scopes that are a text', { scopes: 'data:read' }],
  ['scopes that are null', { scopes: null }],
  ['paths that are a text', { paths: 'reports/**' }],
  ['addresses that are a text', { allowedIps: '0.0.0.0/0' }],
  ['a replacement without an end', { rotatedTo: 'key_other' }],
];

describe.each(WAYS)('on $name', (way) => {
  it.each(HOSTILE)('16 a record with %s is denied, and is no error', async (_what, fields) => {
    const sound = sampleKey({ scopes: ['data:read'] });
    const damaged = sampleKey({ scopes: ['data:read'], ...fields });
    const records = [sound.record, damaged.record];
    const store = new StubStore((locator) =>
      Promise.resolve(records.find((record) => record.locator === locator) ?? null),
    );
    await using app = await startAccountApp(way, store);
    const unknown = await app.call('GET /data', sampleKey().text);
    const answer = await app.call('GET /data', damaged.text);
    expect(answer).toMatchObject(refusal(401, 'invalid_api_key'));
    expect(visible(answer)).toEqual(visible(unknown));
    expect(app.runs).toEqual([]);
    expect(app.events).toContainEqual(expect.objectContaining({ type: 'record_refused' }));
    // Control: a sound record of the same store is good.
    expect(await app.call('GET /data', sound.text)).toMatchObject({ status: 200 });
  });
});
