import { posix, win32 } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { isTenantId } from '../../src/principal/tenant-id.js';

describe('isTenantId', () => {
  it.each([
    'acme',
    'a',
    'A-1_b.c',
    '0e37df36-f698-11e6-8dd4-cb9ced3df976',
    '507f1f77bcf86cd799439011',
    '-',
    '_',
    'constructor',
    '__proto__',
    'console',
    'a.nul',
    'com10',
    'x'.repeat(128),
  ])('takes %j', (text) => {
    expect(isTenantId(text)).toBe(true);
  });

  it.each<[unknown]>([
    [''],
    ['.'],
    ['..'],
    ['...'],
    ['.acme'],
    ['acme.'],
    ['a/b'],
    ['../globex'],
    ['/acme'],
    ['a\\b'],
    ['C:'],
    ['a:b'],
    ['a b'],
    ['acme\n'],
    ['acme\0'],
    ['a%2fb'],
    ['ácme'],
    ['аcme'],
    ['acme\u200b'],
    ['~'],
    ['*'],
    ['nul'],
    ['NUL'],
    ['con.txt'],
    ['COM1'],
    ['lpt9.log'],
    ['x'.repeat(129)],
    [null],
    [undefined],
    [7],
    [['acme']],
    [{ toString: () => 'acme' }],
  ])('refuses %j', (text) => {
    expect(isTenantId(text)).toBe(false);
  });

  it('is always one component of a path, on every system', () => {
    const likely = fc.stringMatching(/^[A-Za-z0-9_.\-/\\:]{0,12}$/);
    fc.assert(
      fc.property(fc.oneof(likely, fc.string({ unit: 'binary' })), (text) => {
        if (!isTenantId(text)) return;
        expect(posix.join('/root', text)).toBe(`/root/${text}`);
        expect(win32.join('C:\\root', text)).toBe(`C:\\root\\${text}`);
        expect(posix.dirname(posix.join('/root', text))).toBe('/root');
      }),
      { numRuns: 500 },
    );
  });
});
