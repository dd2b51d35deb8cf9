import { describe, expect, it } from '@jest/globals';
import { parseNewKey, type NewApiKey } from '../../src/api-key/new-api-key.js';

const SOUND: NewApiKey = { name: 'ci', scopes: ['files:read'] };

function parse(fields: Record<string, unknown>): unknown {
  return parseNewKey('issue', { ...SOUND, ...fields });
}

describe('parseNewKey', () => {
  it.each<[string, Record<string, unknown>]>([
    ['the least', {}],
    ['a name of 100 characters', { name: 'n'.repeat(100) }],
    ['100 scopes', { scopes: Array.from({ length: 100 }, (_unused, index) => `files:a${index}`) }],
    ['dates', { expiresAt: new Date(9), notBefore: new Date(1) }],
    ['addresses', { allowedIps: ['203.0.113.7', '10.0.0.0/8', '2001:db8::/32'] }],
    ['metadata', { metadata: { plan: 'pro', nested: { list: [1, null] } } }],
    ['wildcards', { scopes: ['files:*', '*:read'] }],
  ])('takes %s', (_what, fields) => {
    expect(parse(fields)).toMatchObject({ ...SOUND, ...fields });
  });

  it.each<[string, unknown, string]>([
    ['name', undefined, 'nothing'],
    ['name', '', 'an empty text'],
    ['name', '   ', 'spaces'],
    ['name', 'n'.repeat(101), '101 characters'],
    ['name', 1, 'a number'],
    ['name', 'a\u0000b', 'a NUL'],
    ['name', 'a\nb', 'two lines'],
    ['name', 'a\ud800b', 'half a character'],
    ['paths', [], 'no paths'],
    ['paths', ['**'], 'every path'],
    ['paths', ['a/*.txt'], 'a pattern'],
    ['scopes', ['files:read', , 'files:write'], 'a list with a hole'], // eslint-disable-line no-sparse-arrays -- the case
    [
      'paths',
      Array.from({ length: 100 }, (_unused, index) => `${'d/'.repeat(60)}${index}/${'n'.repeat(200)}`),
      'too many bytes',
    ],
    ['allowedIps', [`fe80::1%${'a'.repeat(1000)}`], 'a zone'],
    ['allowedIps', ['10.0.0.0/08'], 'a padded prefix'],
    ['allowedIps', ['0:0:0:0:0:0:1.2.3.4'], 'the compatible form'],
    ['scopes', undefined, 'nothing'],
    ['scopes', [], 'an empty list'],
    ['scopes', 'files:read', 'a text'],
    ['scopes', ['files'], 'a scope without an action'],
    ['scopes', ['files:read '], 'a space'],
    ['scopes', ['*'], 'a lone wildcard'],
    ['scopes', ['files:re*'], 'a part of a wildcard'],
    ['scopes', [['files:read']], 'a list in the list'],
    ['scopes', Array.from({ length: 101 }, (_unused, index) => `files:a${index}`), '101 scopes'],
    ['expiresAt', null, 'null'],
    ['expiresAt', '2999-01-01', 'a text'],
    ['expiresAt', 5, 'a number'],
    ['expiresAt', new Date('never'), 'an invalid Date'],
    ['notBefore', new Date('never'), 'an invalid Date'],
    ['allowedIps', [], 'an empty list, which would look like no limit'],
    ['allowedIps', ['localhost'], 'a name'],
    ['allowedIps', ['10.0.0.0/33'], 'too many bits'],
    ['allowedIps', '10.0.0.0/8', 'a text'],
    ['allowedIps', ['127.1'], 'a short form'],
    ['metadata', null, 'null'],
    ['metadata', [], 'a list'],
    ['metadata', 'text', 'a text'],
    ['metadata', { text: 'x'.repeat(4096) }, 'more than 4 KiB'],
    ['metadata', { big: 1n }, 'what JSON cannot hold'],
    ['metadata', { toJSON: () => undefined }, 'what JSON makes nothing of'],
  ])('refuses %s that is %j (%s), naming it', (field, value) => {
    expect(() => parse({ [field]: value })).toThrow(
      expect.objectContaining({
        name: 'KeyfenceConfigurationError',
        message: expect.stringContaining(`issue({ ${field} }) is not valid`),
      }),
    );
  });

  it('refuses metadata that refers to itself', () => {
    const metadata: Record<string, unknown> = {};
    metadata.self = metadata;
    expect(() => parse({ metadata })).toThrow('issue({ metadata })');
  });

  it('keeps metadata as JSON gives it back', () => {
    expect(parse({ metadata: { at: new Date(0), gone: undefined } })).toMatchObject({
      metadata: { at: '1970-01-01T00:00:00.000Z' },
    });
  });

  it.each(['tenantId', 'digest', 'id', 'environment', 'version', 'revokedAt', 'allowedIPs', '__proto__x'])(
    'refuses the field %s, which would look as if it counted',
    (field) => {
      expect(() => parse({ [field]: 'globex' })).toThrow(
        expect.objectContaining({
          message: expect.stringContaining(`issue({ ${field} }) is not valid. Rule: there are name,`),
        }),
      );
    },
  );
});

it('takes copies, by the time that a date holds', () => {
  class Later extends Date {
    override getTime(): number {
      return 0;
    }
    override [Symbol.toPrimitive](): never {
      throw new Error('not asked');
    }
  }
  const scopes = ['files:read'];
  const expiresAt = new Later(9);
  const parsed = parse({ scopes, expiresAt }) as { scopes: string[]; expiresAt: Date };
  scopes.push('*:*');
  expect(parsed.scopes).toEqual(['files:read']);
  expect(parsed.expiresAt).toEqual(new Date(9));
});
