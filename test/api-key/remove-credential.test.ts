import { createServer, request, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { describe, expect, it } from '@jest/globals';
import { readCredential, removeCredential } from '../../src/api-key/credential.js';
import { composeKey } from '../support/sample-key.js';

const KEY = composeKey();
const OTHER = composeKey({ id: 'f'.repeat(16) });
const JWT = 'eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl';

const OWN = { header: 'x-api-key', bearer: false };
const BEARER = { header: 'x-api-key', bearer: true };

const isOurs = (token: string): boolean => token.startsWith('kf');

/** What a server reads of a request with these names and values; `look` sees the request itself. */
async function received<Seen>(raw: readonly string[], look: (message: IncomingMessage) => Seen): Promise<Seen> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  try {
    return await new Promise<Seen>((resolve, reject) => {
      server.on('request', (message, response) => {
        try {
          resolve(look(message));
        } catch (error) {
          reject(error instanceof Error ? error : new Error(String(error)));
        }
        response.end();
      });
      const headers = ['Host', 'localhost', ...raw];
      request({ port, host: '127.0.0.1', agent: false, headers }, (answer) => answer.resume())
        .on('error', reject)
        .end();
    });
  } finally {
    server.close();
    server.closeAllConnections();
  }
}

/** All that a request shows of its headers. */
function shown(message: IncomingMessage): unknown {
  return {
    headers: { ...message.headers },
    rawHeaders: message.rawHeaders,
    distinct: { ...message.headersDistinct },
  };
}

/** What is shown, but for the pairs whose value was masked. */
function withoutMasked(seen: unknown): unknown {
  const { headers, rawHeaders, distinct } = seen as { headers: object; rawHeaders: string[]; distinct: object };
  const isMasked = (index: number): boolean => rawHeaders[index - (index % 2) + 1] === '[redacted]';
  return {
    headers,
    rawHeaders: rawHeaders.filter((_text, index) => !isMasked(index)),
    distinct: Object.fromEntries(Object.entries(distinct).filter(([, values]) => String(values) !== '[redacted]')),
  };
}

const removed =
  (options = BEARER) =>
  (message: IncomingMessage): unknown => {
    removeCredential(message, options, isOurs);
    return shown(message);
  };

describe("a request of Node's", () => {
  it('shows its key everywhere until it is removed (control)', async () => {
    const text = JSON.stringify(await received(['X-Api-Key', KEY], shown));
    expect(text.split(KEY)).toHaveLength(4);
  });

  it.each([
    ['in its header', ['X-Api-Key', KEY], OWN],
    ['in its header, with bearer keys on', ['x-api-key', KEY], BEARER],
    ['as a bearer token', ['Authorization', `Bearer ${KEY}`], BEARER],
    ['twice', ['X-Api-Key', KEY, 'x-API-key', OTHER], OWN],
    ['in both places', ['X-Api-Key', KEY, 'authorization', `bearer ${OTHER}`], BEARER],
    ['twice as a bearer token', ['Authorization', `Bearer ${KEY}`, 'authorization', `Bearer ${OTHER}`], BEARER],
  ])('has no trace of a key that came %s', async (_how, raw, options) => {
    const seen = await received([...raw, 'X-Last', 'last'], removed(options));
    expect(JSON.stringify(seen)).not.toContain('kflive');
    expect(seen).toMatchObject(await received(['X-Last', 'last'], (message) => ({ headers: { ...message.headers } })));
    expect(Object.keys((seen as { headers: object }).headers)).not.toContain('x-api-key');
  });

  it('keeps the order and the doubles of all other headers', async () => {
    const others = [
      'Via',
      'a',
      'Accept',
      '*/*',
      'Via',
      'b',
      'Cookie',
      'x-api-key=1',
      'Set-Cookie',
      'c',
      'set-cookie',
      'd',
    ];
    const raw = [...others.slice(0, 4), 'X-API-KEY', KEY, ...others.slice(4)];
    expect(withoutMasked(await received(raw, removed()))).toEqual(await received(others, shown));
  });

  it.each([
    ['a JWT', ['Authorization', `Bearer ${JWT}`], BEARER],
    ['a bearer token where none is read', ['Authorization', `Bearer ${KEY}`], OWN],
    ['another scheme', ['Authorization', 'Basic dTpw'], BEARER],
    ['a header with a longer name', ['X-Api-Key-Id', 'a'], BEARER],
    ['the name as a value', ['Via', 'x-api-key'], BEARER],
    ['nothing', [], BEARER],
  ])('keeps %s', async (_what, raw, options) => {
    expect(await received(raw, removed(options))).toEqual(await received(raw, shown));
  });

  it('keeps a JWT beside a key', async () => {
    const jwt = ['Authorization', `Bearer ${JWT}`];
    expect(withoutMasked(await received([...jwt, 'X-Api-Key', KEY], removed()))).toEqual(await received(jwt, shown));
  });

  it.each([
    ['the second', ['Authorization', `Bearer ${JWT}`, 'authorization', `Bearer ${KEY}`]],
    ['the first', ['authorization', `Bearer ${KEY}`, 'Authorization', `Bearer ${JWT}`]],
  ])('loses %s of two Authorization headers, where that is the key', async (_which, raw) => {
    const seen = await received(raw, removed());
    expect(JSON.stringify(seen)).not.toContain(KEY);
    expect(seen).toMatchObject({
      rawHeaders: expect.arrayContaining([`Bearer ${JWT}`]),
      distinct: { authorization: expect.arrayContaining([`Bearer ${JWT}`]) },
    });
  });

  it('has no credential afterwards', async () => {
    const credential = await received(['X-Api-Key', KEY], (message) => {
      expect(readCredential(message, BEARER, isOurs)).toEqual({ status: 'found', text: KEY });
      removeCredential(message, BEARER, isOurs);
      removeCredential(message, BEARER, isOurs);
      return readCredential(message, BEARER, isOurs);
    });
    expect(credential).toEqual({ status: 'none' });
  });

  it('stays the same object, and so do its headers', async () => {
    await received(['X-Api-Key', KEY], (message) => {
      const { headers, rawHeaders } = message;
      removeCredential(message, OWN, isOurs);
      expect(message.headers).toBe(headers);
      expect(message.rawHeaders).toBe(rawHeaders);
    });
  });

  it('gives one and the same headersDistinct from then on, and takes another', async () => {
    await received(['X-Api-Key', KEY, 'Via', 'a'], (message) => {
      removeCredential(message, OWN, isOurs);
      expect(message.headersDistinct).toBe(message.headersDistinct);
      expect(Object.keys(message)).not.toContain('headersDistinct');
      message.headersDistinct = { via: ['b'] };
      expect(message.headersDistinct).toEqual({ via: ['b'] });
    });
  });

  it('would throw there if the list were only made shorter (control)', async () => {
    await received(['X-Api-Key', KEY], (message) => {
      message.rawHeaders.splice(2, 2);
      expect(() => message.headersDistinct).toThrow(/undefined/);
    });
  });
});

describe('headers without a raw list, such as those of a WebSocket handshake', () => {
  it('lose the key too', () => {
    const source = { headers: { 'x-api-key': KEY, authorization: `Bearer ${OTHER}`, host: 'a' } };
    removeCredential(source, BEARER, isOurs);
    expect(source).toEqual({ headers: { host: 'a' } });
  });

  it('lose a value that is no credential, but was meant as one', () => {
    const source = {
      headers: { 'x-api-key': ['a', 'b'], host: 'a' },
      rawHeaders: ['X-Api-Key', 'a', 'X-Api-Key', 'b'],
    };
    removeCredential(source, OWN, isOurs);
    expect(source).toEqual({
      headers: { host: 'a' },
      rawHeaders: ['X-Api-Key', '[redacted]', 'X-Api-Key', '[redacted]'],
    });
  });
});
