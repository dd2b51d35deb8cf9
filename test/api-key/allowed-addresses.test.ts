import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { isAddressAllowed, isAllowedIp } from '../../src/api-key/allowed-addresses.js';

describe('isAddressAllowed', () => {
  it.each([
    ['203.0.113.7', '203.0.113.7', true],
    ['203.0.113.7', '203.0.113.8', false],
    ['203.0.113.7', '203.0.113.7/32', true],
    ['203.0.113.7', '203.0.113.0/24', true],
    ['203.0.114.7', '203.0.113.0/24', false],
    // The base of a range need not be its first address.
    ['203.0.113.200', '203.0.113.7/24', true],
    ['10.255.255.255', '10.0.0.0/8', true],
    ['11.0.0.0', '10.0.0.0/8', false],
    ['203.0.113.7', '0.0.0.0/0', true],
    ['2001:db8::1', '2001:db8::1', true],
    ['2001:DB8:0:0:0:0:0:1', '2001:db8::1', true],
    ['2001:db8::2', '2001:db8::1', false],
    ['2001:db8:ffff::1', '2001:db8::/32', true],
    ['2001:db9::1', '2001:db8::/32', false],
    // Mapped: the same machine, as a dual-stack socket shows it.
    ['::ffff:203.0.113.7', '203.0.113.7', true],
    ['::ffff:cb00:7107', '203.0.113.0/24', true],
    ['::ffff:203.0.114.7', '203.0.113.0/24', false],
    ['203.0.113.7', '::ffff:203.0.113.7', true],
    // A range of one family never holds an address of the other.
    ['203.0.113.7', '::/0', false],
    ['2001:db8::1', '0.0.0.0/0', false],
    ['::1', '127.0.0.1', false],
    // A compatible address, long out of use, is not the IPv4 one.
    ['::203.0.113.7', '203.0.113.7', false],
  ])('%s in %s: %s', (address, entry, allowed) => {
    expect(isAddressAllowed(address, [entry])).toBe(allowed);
    expect(isAddressAllowed(address, ['192.0.2.1', entry, '198.51.100.0/24'])).toBe(allowed);
  });

  it('allows nobody with an empty list', () => {
    expect(isAddressAllowed('203.0.113.7', [])).toBe(false);
  });

  it.each([
    ['no address', undefined],
    ['nothing', ''],
    ['a name', 'localhost'],
    ['a short form', '203.113'],
    ['octal parts', '0313.0.0161.7'],
    ['leading zeros', '203.000.113.007'],
    ['hexadecimal', '0xcb007107'],
    ['one number', '3405803783'],
    ['a port', '203.0.113.7:443'],
    ['a list, as X-Forwarded-For has it', '203.0.113.7, 10.0.0.1'],
    ['spaces', ' 203.0.113.7'],
    ['a range', '203.0.113.7/32'],
    ['brackets', '[2001:db8::1]'],
    ['a line feed', '203.0.113.7\n'],
    ['a NUL', '203.0.113.7\0'],
  ])('denies a client whose address is %s', (_what, address) => {
    expect(isAddressAllowed(address, ['0.0.0.0/0', '::/0'])).toBe(false);
  });

  it('allows the same client by a readable address (control)', () => {
    expect(isAddressAllowed('203.0.113.7', ['0.0.0.0/0', '::/0'])).toBe(true);
  });

  it.each([
    [''],
    ['/'],
    ['/0'],
    ['0.0.0.0/'],
    ['0.0.0.0/33'],
    ['0.0.0.0/-1'],
    ['0.0.0.0/0.0.0.0'],
    ['0.0.0.0/0/0'],
    ['0.0.0.0/0x0'],
    ['0.0.0.0/ 0'],
    ['0/0'],
    ['::/129'],
    ['::/'],
    ['::ffff:0.0.0.0/0'],
    ['::ffff:0.0.0.0/96'],
    ['*'],
    ['203.0.113.*'],
    ['any'],
  ])('an entry %j is refused when a key is made, and lets nobody in', (entry) => {
    expect(isAllowedIp(entry)).toBe(false);
    expect(isAddressAllowed('203.0.113.7', [entry])).toBe(false);
    expect(isAddressAllowed('2001:db8::1', [entry])).toBe(false);
  });

  it('decides as arithmetic does, for any IPv4 address and range', () => {
    const uint32 = fc.integer({ min: 0, max: 0xffffffff });
    const dotted = (value: number): string => [24, 16, 8, 0].map((shift) => (value >>> shift) & 255).join('.');
    fc.assert(
      fc.property(uint32, uint32, fc.integer({ min: 0, max: 32 }), (client, base, bits) => {
        const size = 2 ** (32 - bits);
        const inside = Math.floor(client / size) === Math.floor(base / size);
        expect(isAddressAllowed(dotted(client), [`${dotted(base)}/${bits}`])).toBe(inside);
      }),
    );
  });

  it('does not throw, whatever the texts', () => {
    const text = fc.oneof(fc.string({ unit: 'binary' }), fc.stringMatching(/^[0-9a-f:./]{0,40}$/));
    fc.assert(
      fc.property(text, text, (address, entry) => {
        expect(typeof isAddressAllowed(address, [entry])).toBe('boolean');
      }),
    );
  });
});
