import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { InMemoryApiKeyStore } from '../../src/api-key/in-memory-api-key.store.js';
import { rawRequest } from '../e2e/raw-request.js';
import { CountingStore } from '../support/counting-store.js';
import { refusal, startAccountApp, type AccountApp } from './support/account-app.js';
import { WAYS } from './support/ways.js';

describe.each(WAYS)('on $name', (way) => {
  let app: AccountApp;
  let withBearer: AccountApp;
  let store: CountingStore;
  let key: string;

  beforeAll(async () => {
    store = new CountingStore(new InMemoryApiKeyStore());
    // Without a cache, so that every key that is looked up shows in the store.
    app = await startAccountApp(way, store, { cache: false });
    withBearer = await startAccountApp(way, store, { cache: false, apiKey: { bearer: true } });
    key = (await app.issue()).text;
  });
  beforeEach(() => {
    store.reset();
    app.runs.length = 0;
    withBearer.runs.length = 0;
  });
  afterAll(() => Promise.all([app.close(), withBearer.close()]));

  it.each(['x-api-key', 'X-API-KEY', 'X-Api-Key', 'x-aPi-kEy'])('18 the header may be written %s', async (header) => {
    expect(await app.send('GET /data', { headers: { [header]: key } })).toMatchObject({ status: 200 });
  });

  it.each(['Bearer', 'bearer', 'BEARER', 'bEaReR'])(
    '19 the scheme may be written %s, where it is allowed',
    async (scheme) => {
      const headers = { authorization: `${scheme} ${key}` };
      expect(await withBearer.send('GET /data', { headers })).toMatchObject({ status: 200 });
      // Not where it is not: then it is no key at all.
      expect(await app.send('GET /data', { headers })).toMatchObject(refusal(401, 'missing_credentials'));
      expect(app.runs).toEqual([]);
      expect(store.lookUps).toBe(1);
    },
  );

  it.each([
    '',
    ' ',
    'Bearer',
    'Bearer ',
    'Basic KEY',
    'ApiKey KEY',
    'Token KEY',
    'BearerKEY',
    'XBearer KEY',
    'KEY',
    'Bearer: KEY',
  ])('19 Authorization %j is no key, and nobody asks the store', async (authorization) => {
    const headers = { authorization: authorization.replace('KEY', key) };
    expect(await withBearer.send('GET /data', { headers })).toMatchObject(refusal(401, 'missing_credentials'));
    expect(withBearer.runs).toEqual([]);
    expect(store.calls).toEqual([]);
  });

  it('23 a handler sees every header but the key, in order, and the query as it was', async () => {
    const headers = { 'x-first': '1', 'X-API-Key': key, 'x-second': '2', Authorization: 'Bearer a.b.c' };
    const { body } = await app.send('GET /whoami/request?b=2&a=1&apikey=of-the-application&b=3', { headers });
    const seen = body as { url: string; headers: Record<string, string>; rawHeaders: string[] };
    expect(seen.url).toBe('/whoami/request?b=2&a=1&apikey=of-the-application&b=3');
    expect(seen.headers).toMatchObject({ 'x-first': '1', 'x-second': '2', authorization: 'Bearer a.b.c' });
    expect(seen.headers).not.toHaveProperty('x-api-key');
    expect(seen.rawHeaders.join()).toContain('x-first,1,X-API-Key,[redacted],x-second,2,Authorization,Bearer a.b.c');
    expect(JSON.stringify(seen)).not.toContain(key);
  });

  it('23 it sees the key where the team asks for that (control)', async () => {
    await using exposed = await startAccountApp(way, store, { apiKey: { exposeKeyToHandlers: true } });
    const { text } = await exposed.send('GET /whoami/request', { key });
    expect(text).toContain(key);
  });

  it.each<[string, (text: string) => string]>([
    ['a character too long', (text) => `${text}0`],
    ['of 513 characters', () => 'k'.repeat(513)],
    ['of 8000 characters', (text) => text.repeat(120)],
    ['twice, with a comma', (text) => `${text}, ${text}`],
    ['with a space in it', (text) => `${text.slice(0, 10)} ${text.slice(10)}`],
    ['with a tab in it', (text) => `${text.slice(0, 10)}\t${text.slice(10)}`],
    ['with a letter that is no ASCII', (text) => `${text.slice(0, -1)}\u00e9`],
    ['in quotes', (text) => `"${text}"`],
    ['percent-encoded', (text) => text.replaceAll('_', '%5F')],
    ['in capitals', (text) => text.toUpperCase()],
    ['empty', () => ''],
    ['of blanks', () => '   '],
    ['of one character', () => 'x'],
    ['without its checksum', (text) => text.slice(0, -6)],
  ])('24, 36 a key %s is refused before anybody asks the store', async (_what, spoil) => {
    expect(await app.send('GET /data', { key: spoil(key) })).toMatchObject(refusal(401, 'invalid_api_key'));
    expect(app.runs).toEqual([]);
    expect(store.calls).toEqual([]);
  });

  it.each(['\0', '\r\n', '\n', '\u{1f511}', '\u0430', '\u202e', '\x7f'])(
    '24 a key with %j in it never reaches the store, as bytes on the wire',
    async (hostile) => {
      const port = Number(new URL(app.url).port);
      const value = `${key.slice(0, 20)}${hostile}${key.slice(20)}`;
      const { status } = await rawRequest(port, 'GET', '/data', { 'X-Api-Key': value });
      // What is no HTTP is refused by Node, the rest by us.
      expect([400, 401]).toContain(status);
      expect(app.runs).toEqual([]);
      expect(store.calls).toEqual([]);
      // Control: the same request with the key as it is.
      expect(await rawRequest(port, 'GET', '/data', { 'X-Api-Key': key })).toMatchObject({ status: 200 });
    },
  );

  it.each(['apikey', 'api_key', 'apikey[]', 'apikey[1]', 'x-api-key', 'key', 'access_token'])(
    '22 a key as %s in the query is none',
    async (name) => {
      expect(await app.send(`GET /data?${name}=${key}`)).toMatchObject(refusal(401, 'missing_credentials'));
      expect(app.runs).toEqual([]);
      expect(store.calls).toEqual([]);
    },
  );
});
