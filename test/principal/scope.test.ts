import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { coversScopes, isScope, missingScopes, type Scope } from '../../src/principal/scope.js';

const scopes = (...texts: string[]): Scope[] => texts as Scope[];

describe('isScope', () => {
  it.each([
    'files:read',
    'a:b',
    'files:*',
    '*:read',
    '*:*',
    'A-Z_0.9:x',
    'constructor:read',
    '__proto__:read',
    `${'a'.repeat(64)}:${'b'.repeat(64)}`,
  ])('takes %j', (text) => {
    expect(isScope(text)).toBe(true);
  });

  it.each<[unknown]>([
    [''],
    [':'],
    ['files'],
    ['files:'],
    [':read'],
    ['*'],
    ['**:*'],
    ['file*:read'],
    ['files:re*'],
    ['files:read:all'],
    ['files::read'],
    ['files:read '],
    [' files:read'],
    ['files: read'],
    ['files:read\n'],
    ['files/a:read'],
    ['files:read,write'],
    ['files:réad'],
    ['files：read'],
    [`${'a'.repeat(65)}:read`],
    [null],
    [undefined],
    [1],
    [['files:read']],
    [{ toString: () => 'files:read' }],
  ])('refuses %j', (text) => {
    expect(isScope(text)).toBe(false);
  });
});

describe('coversScopes', () => {
  it.each<[string[], string[], boolean]>([
    [['files:read'], ['files:read'], true],
    [['files:read'], ['files:write'], false],
    [['files:write'], ['files:read'], false],
    [['files:read'], ['reports:read'], false],
    [['files:read', 'files:write'], ['files:write'], true],
    [['files:read'], ['files:read', 'files:write'], false],
    [['files:*'], ['files:read'], true],
    [['files:*'], ['files:read', 'files:write'], true],
    [['files:*'], ['reports:read'], false],
    [['*:read'], ['files:read', 'reports:read'], true],
    [['*:read'], ['files:write'], false],
    [['*:*'], ['files:read', 'anything:at-all'], true],
    // Two halves do not make a whole.
    [['files:*', '*:read'], ['reports:write'], false],
    // A required wildcard is a wildcard, and no list of scopes stands for it.
    [['files:read', 'files:write'], ['files:*'], false],
    [['files:*'], ['files:*'], true],
    [['*:*'], ['files:*'], true],
    [['files:*'], ['*:*'], false],
    [['*:read'], ['*:read'], true],
    [['*:read'], ['files:*'], false],
    // Case, prefixes and names of Object mean nothing.
    [['Files:read'], ['files:read'], false],
    [['files:read'], ['files:readall'], false],
    [['file:read'], ['files:read'], false],
    [['constructor:read'], ['toString:read'], false],
    // Nothing granted, nothing covered; nothing required, nothing missing.
    [[], ['files:read'], false],
    [[], [], true],
    [['files:read'], [], true],
  ])('granted %j, required %j: %s', (granted, required, covered) => {
    expect(coversScopes(scopes(...granted), scopes(...required))).toBe(covered);
    expect(missingScopes(scopes(...granted), scopes(...required)).length === 0).toBe(covered);
  });
});

describe('missingScopes', () => {
  it('names what is missing, in the order given, and nothing that is held', () => {
    const required = scopes('c:x', 'files:read', 'a:x', 'b:*');
    expect(missingScopes(scopes('files:*', 'b:x'), required)).toEqual(['c:x', 'a:x', 'b:*']);
  });
});

describe('for any scopes', () => {
  const segment = fc.constantFrom('*', 'files', 'reports', 'read', 'write');
  const scope = fc.tuple(segment, segment).map(([resource, action]) => `${resource}:${action}` as Scope);
  const list = fc.array(scope, { maxLength: 6 });

  it('a scope is covered if one that is granted matches it, segment by segment', () => {
    fc.assert(
      fc.property(list, scope, (granted, required) => {
        const [resource, action] = required.split(':');
        const expected = granted.some((held) => {
          const [heldResource, heldAction] = held.split(':');
          return (heldResource === '*' || heldResource === resource) && (heldAction === '*' || heldAction === action);
        });
        expect(coversScopes(granted, [required])).toBe(expected);
      }),
    );
  });

  it('a grant covers itself, and every part of it', () => {
    fc.assert(
      fc.property(list, (granted) => {
        expect(coversScopes(granted, granted)).toBe(true);
      }),
    );
  });

  it('more granted never covers less, and more required is never covered sooner', () => {
    fc.assert(
      fc.property(list, list, list, (granted, more, required) => {
        if (coversScopes(granted, required)) expect(coversScopes([...more, ...granted], required)).toBe(true);
        if (!coversScopes(granted, required)) expect(coversScopes(granted, [...required, ...more])).toBe(false);
      }),
    );
  });

  it('covering passes on: what a grantor gives can never exceed what the grantor got', () => {
    fc.assert(
      fc.property(list, list, list, (first, second, third) => {
        if (coversScopes(first, second) && coversScopes(second, third)) expect(coversScopes(first, third)).toBe(true);
      }),
    );
  });

  it('what is missing and what is covered make up what is required', () => {
    fc.assert(
      fc.property(list, list, (granted, required) => {
        const missing = missingScopes(granted, required);
        expect(
          coversScopes(
            granted,
            required.filter((item) => !missing.includes(item)),
          ),
        ).toBe(true);
        for (const item of missing) expect(coversScopes(granted, [item])).toBe(false);
      }),
    );
  });
});
