import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { readCredential, type Credential, type HeaderSource } from '../../src/api-key/credential.js';
import { composeKey } from '../support/sample-key.js';

const KEY = composeKey();
const OTHER = composeKey({ id: 'f'.repeat(16) });
const JWT = 'eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl';

type Headers = HeaderSource['headers'];

const isOurs = (token: string): boolean => token.startsWith('kf');

function read(
  headers: Headers,
  { bearer = false, rawHeaders }: { bearer?: boolean; rawHeaders?: string[] } = {},
): Credential {
  return readCredential({ headers, rawHeaders }, { header: 'x-api-key', bearer }, isOurs);
}

const found = (text: string): Credential => ({ status: 'found', text });
const NONE: Credential = { status: 'none' };
const MALFORMED: Credential = { status: 'malformed' };

describe('the header of its own', () => {
  it('carries a key (control)', () => {
    expect(read({ 'x-api-key': KEY })).toEqual(found(KEY));
    expect(read({ 'x-api-key': KEY }, { rawHeaders: ['Host', 'a', 'X-Api-Key', KEY] })).toEqual(found(KEY));
  });

  it.each<[string, Headers, string[] | undefined]>([
    ['nothing in it', { 'x-api-key': '' }, undefined],
    ['a space', { 'x-api-key': ' ' }, undefined],
    ['a list of one', { 'x-api-key': [KEY] }, undefined],
    ['a list of two', { 'x-api-key': [KEY, OTHER] }, undefined],
    ['an empty list', { 'x-api-key': [] }, undefined],
    ['two keys joined, as Node does with a doubled header', { 'x-api-key': `${KEY}, ${OTHER}` }, undefined],
    ['two keys joined without a space', { 'x-api-key': `${KEY},${OTHER}` }, undefined],
    ['a comma behind it', { 'x-api-key': `${KEY},` }, undefined],
    ['the header doubled', { 'x-api-key': KEY }, ['X-API-Key', KEY, 'x-api-key', OTHER]],
    ['the header doubled with one value', { 'x-api-key': KEY }, ['x-api-key', KEY, 'x-api-key', KEY]],
    ['513 characters', { 'x-api-key': 'a'.repeat(513) }, undefined],
    ['a megabyte', { 'x-api-key': 'a'.repeat(1_000_000) }, undefined],
    ['a space inside', { 'x-api-key': `${KEY} x` }, undefined],
    ['a tab', { 'x-api-key': `${KEY}\t` }, undefined],
    ['CRLF', { 'x-api-key': `${KEY}\r\nx-admin: 1` }, undefined],
    ['a line feed at the end', { 'x-api-key': `${KEY}\n` }, undefined],
    ['a NUL', { 'x-api-key': `${KEY}\0` }, undefined],
    ['an escape sequence', { 'x-api-key': '\u001b[31mkey' }, undefined],
    ['DEL', { 'x-api-key': `${KEY}\u007f` }, undefined],
    ['a letter that is not ASCII', { 'x-api-key': `${KEY}é` }, undefined],
    ['a wide digit', { 'x-api-key': KEY.replace('0', '０') }, undefined],
    ['an emoji', { 'x-api-key': '🔑'.repeat(20) }, undefined],
    ['a zero-width space', { 'x-api-key': `${KEY}\u200b` }, undefined],
    ['a line separator', { 'x-api-key': `${KEY}\u2028` }, undefined],
  ])('is malformed with %s', (_what, headers, rawHeaders) => {
    expect(read(headers, { rawHeaders })).toEqual(MALFORMED);
    expect(read(headers, { rawHeaders, bearer: true })).toEqual(MALFORMED);
  });

  it('takes 512 characters, and no name that only looks alike', () => {
    expect(read({ 'x-api-key': 'a'.repeat(512) })).toEqual(found('a'.repeat(512)));
    expect(read({ 'x-api-keys': KEY, x_api_key: KEY, 'api-key': KEY })).toEqual(NONE);
  });

  it('counts a header only where names stand, not where values do', () => {
    expect(read({ 'x-api-key': KEY }, { rawHeaders: ['via', 'x-api-key', 'X-Api-Key', KEY] })).toEqual(found(KEY));
  });

  it('has the name that the option says, and only that', () => {
    const options = { header: 'x-tenant-key', bearer: false };
    expect(readCredential({ headers: { 'x-tenant-key': KEY } }, options, isOurs)).toEqual(found(KEY));
    expect(readCredential({ headers: { 'x-api-key': KEY } }, options, isOurs)).toEqual(NONE);
  });
});

describe('Authorization: Bearer', () => {
  it('is not looked at unless the option says so', () => {
    expect(read({ authorization: `Bearer ${KEY}` })).toEqual(NONE);
  });

  it.each(['Bearer', 'bearer', 'BEARER', 'bEaReR'])('may be written %s', (scheme) => {
    expect(read({ authorization: `${scheme} ${KEY}` }, { bearer: true })).toEqual(found(KEY));
    expect(read({ authorization: `${scheme}   ${KEY}` }, { bearer: true })).toEqual(found(KEY));
  });

  it.each<[string, string | string[]]>([
    ['the scheme alone', 'Bearer'],
    ['the scheme and a space', 'Bearer '],
    ['nothing', ''],
    ['another scheme', `Basic ${KEY}`],
    ['a longer scheme', `Bearers ${KEY}`],
    ['a scheme before it', `Basic Bearer ${KEY}`],
    ['a colon', `Bearer:${KEY}`],
    ['no space', `Bearer${KEY}`],
    ['a tab for the space', `Bearer\t${KEY}`],
    ['the key without a scheme', KEY],
    ['two tokens', `Bearer ${KEY} ${OTHER}`],
    ['a JWT, which is for another guard', `Bearer ${JWT}`],
    ['a list', [`Bearer ${KEY}`]],
  ])('with %s is no key', (_what, authorization) => {
    expect(read({ authorization }, { bearer: true })).toEqual(NONE);
  });

  it.each<[string, Headers, string[] | undefined]>([
    ['a longer text', { authorization: `Bearer kf${'a'.repeat(512)}` }, undefined],
    ['a letter that is not ASCII', { authorization: `Bearer ${KEY}é` }, undefined],
    ['a NUL', { authorization: `Bearer ${KEY}\0` }, undefined],
    ['a comma', { authorization: `Bearer ${KEY},${OTHER}` }, undefined],
    [
      'the header doubled',
      { authorization: `Bearer ${KEY}` },
      ['Authorization', `Bearer ${KEY}`, 'authorization', 'Basic x'],
    ],
  ])('is malformed with %s', (_what, headers, rawHeaders) => {
    expect(read(headers, { bearer: true, rawHeaders })).toEqual(MALFORMED);
  });

  it('may not come together with the other header, even with the same key', () => {
    const headers = { 'x-api-key': KEY, authorization: `Bearer ${KEY}` };
    expect(read(headers, { bearer: true })).toEqual(MALFORMED);
    expect(read(headers)).toEqual(found(KEY));
  });

  it('may, if it is meant for another guard', () => {
    expect(read({ 'x-api-key': KEY, authorization: `Bearer ${JWT}` }, { bearer: true })).toEqual(found(KEY));
  });
});

describe('the query, the body and cookies', () => {
  it('are never read', () => {
    const request = {
      headers: { cookie: `x-api-key=${KEY}` },
      url: `/?x-api-key=${KEY}&api_key=${KEY}&apikey=${KEY}`,
      query: { 'x-api-key': KEY },
      body: { 'x-api-key': KEY },
      cookies: { 'x-api-key': KEY },
    };
    expect(readCredential(request, { header: 'x-api-key', bearer: true }, () => true)).toEqual(NONE);
  });
});

describe('any headers at all', () => {
  it('are read without throwing, and only visible ASCII without a comma is found', () => {
    const value = fc.oneof(
      fc.string({ unit: 'binary', maxLength: 600 }),
      fc.array(fc.string()),
      fc.constant(undefined),
    );
    fc.assert(
      fc.property(value, value, fc.boolean(), (own, authorization, bearer) => {
        const credential = read({ 'x-api-key': own, authorization }, { bearer });
        if (credential.status === 'found') expect(credential.text).toMatch(/^[!-+\--~]{1,512}$/);
      }),
    );
  });
});
