/* eslint-disable @typescript-eslint/no-empty-function -- no handler is called here; what it declares is all that matters */
import 'reflect-metadata';
import { describe, expect, it } from '@jest/globals';
import type { Scope } from '../../src/principal/scope.js';
import { describePolicy, policyOf, unmetBy, type AccessPolicy, type AccessRule } from '../../src/scope/access-rule.js';
import {
  RequireAnyScope,
  RequireApiKey,
  RequireScopes,
  ScopesByMethod,
  SkipApiKey,
} from '../../src/scope/require-scopes.decorator.js';

type Target = abstract new () => { handle: () => void };

function policy(target: Target): AccessPolicy {
  return policyOf(target, (target.prototype as { handle: () => void }).handle);
}

/** Access, and what is required, in words. */
function summary(target: Target): string {
  const found = policy(target);
  return [found.access, ...describePolicy(found)].join(' | ');
}

class Undeclared {
  handle(): void {}
}

@RequireScopes('a:read')
class OnClass {
  handle(): void {}
}

class OnMethod {
  @RequireScopes('a:read')
  handle(): void {}
}

@RequireScopes('a:read')
class OnBoth {
  @RequireScopes('a:write')
  handle(): void {}
}

@RequireScopes('a:read')
@RequireAnyScope('b:read', 'c:read')
class Stacked {
  @RequireScopes('d:read', 'e:read')
  @RequireApiKey()
  @RequireScopes('f:read')
  handle(): void {}
}

@ScopesByMethod('files')
class ByMethod {
  handle(): void {}
}

@SkipApiKey()
class PublicClass {
  handle(): void {}
}

@RequireScopes('a:read')
class PublicMethod {
  @SkipApiKey()
  handle(): void {}
}

@SkipApiKey()
class ClosedMethod {
  @RequireApiKey()
  handle(): void {}
}

class Inherits extends OnBoth {}

@RequireScopes('b:read')
class InheritsAndAdds extends OnClass {}

@RequireScopes('b:read')
class Overrides extends OnMethod {
  override handle(): void {}
}

class RestrictsPublicMethod extends PublicMethod {
  @RequireApiKey()
  override handle(): void {}
}

class OverridesPublic extends OnMethod {
  @SkipApiKey()
  override handle(): void {}
}

/** Another decorator may put a function of its own in the place of the method. */
function Traced(): MethodDecorator {
  return (_target, _name, descriptor: PropertyDescriptor) => {
    const original = descriptor.value as () => void;
    descriptor.value = function traced(this: unknown): void {
      original.call(this);
    };
  };
}

class Wrapped {
  @Traced()
  @RequireScopes('a:read')
  handle(): void {}
}

@SkipApiKey()
class OpensBelowRestricted extends OnClass {}

@RequireScopes('a:read')
class RestrictsBelowPublic extends PublicClass {}

class InheritsPublic extends PublicClass {}

@SkipApiKey()
@SkipApiKey()
class TwicePublic {
  handle(): void {}
}

describe('what class and method say together', () => {
  it.each<[Target, string]>([
    [Undeclared, 'undeclared'],
    [OnClass, 'key | a:read'],
    [OnMethod, 'key | a:read'],
    [OnBoth, 'key | a:read | a:write'],
    [Stacked, 'key | b:read or c:read | a:read | f:read | any valid key | d:read and e:read'],
    [ByMethod, 'key | files:read (GET, HEAD) or else files:write'],
    [PublicClass, 'public'],
    [PublicMethod, 'public'],
    [ClosedMethod, 'key | any valid key'],
    [RestrictsPublicMethod, 'key | a:read | any valid key'],
    [Inherits, 'key | a:read | a:write'],
    [InheritsAndAdds, 'key | b:read | a:read'],
    [Overrides, 'key | b:read | a:read'],
    [OverridesPublic, 'key | a:read'],
    [Wrapped, 'key | a:read'],
    [OpensBelowRestricted, 'key | a:read'],
    [RestrictsBelowPublic, 'key | a:read'],
    [InheritsPublic, 'public'],
    [TwicePublic, 'public'],
  ])('%p: %s', (target, expected) => {
    expect(summary(target)).toBe(expected);
  });

  it('of a subclass changes nothing of its base', () => {
    expect(summary(InheritsAndAdds)).toContain('b:read');
    expect(summary(OnClass)).toBe('key | a:read');
  });
});

describe('a contradiction', () => {
  const NAMED = /^Keyfence: .* is both public \(@SkipApiKey\) and restricted\. Keep one of the two\.$/;

  it.each<[string, () => unknown]>([
    [
      'on a class',
      () => {
        @SkipApiKey()
        @RequireScopes('a:read')
        class Both {}
        return Both;
      },
    ],
    [
      'on a class, the other way round',
      () => {
        @RequireApiKey()
        @SkipApiKey()
        class Both {}
        return Both;
      },
    ],
    [
      'on a method',
      () => {
        class Both {
          @RequireAnyScope('a:read')
          @SkipApiKey()
          handle(): void {}
        }
        return Both;
      },
    ],
    [
      'by ScopesByMethod',
      () => {
        class Both {
          @SkipApiKey()
          @ScopesByMethod('files')
          handle(): void {}
        }
        return Both;
      },
    ],
  ])('%s stops the program where it is defined', (_where, define) => {
    expect(define).toThrow(expect.objectContaining({ message: expect.stringMatching(NAMED) }));
  });

  it('names the class or the method', () => {
    expect(() => {
      @SkipApiKey()
      @RequireApiKey()
      class Confused {}
      return Confused;
    }).toThrow('Confused');
  });
});

describe('a decorator with wrong arguments', () => {
  it.each<[string, () => unknown, string]>([
    ['@RequireScopes()', () => (RequireScopes as () => unknown)(), '@RequireScopes() names no scope'],
    ['@RequireAnyScope()', () => (RequireAnyScope as () => unknown)(), '@RequireAnyScope() names no scope'],
    ['@RequireScopes("files")', () => RequireScopes('files'), "@RequireScopes('files'): a scope is"],
    ['@RequireScopes(good, bad)', () => RequireScopes('files:read', 'files'), "@RequireScopes('files')"],
    ['@RequireScopes("")', () => RequireScopes(''), "@RequireScopes('')"],
    ['@RequireAnyScope("a:b:c")', () => RequireAnyScope('a:b:c'), "@RequireAnyScope('a:b:c')"],
    ['@ScopesByMethod("")', () => ScopesByMethod(''), "@ScopesByMethod(':read')"],
    ['@ScopesByMethod("files:read")', () => ScopesByMethod('files:read'), '@ScopesByMethod'],
    ['@RequireScopes(undefined)', () => RequireScopes(undefined as unknown as string), '@RequireScopes'],
  ])('%s stops the program where it is defined', (_what, define, named) => {
    expect(define).toThrow(expect.objectContaining({ message: expect.stringContaining(`Keyfence: ${named}`) }));
  });
});

describe('unmetBy', () => {
  const list = (...texts: string[]): Scope[] => texts as Scope[];
  const all: AccessRule = { kind: 'all', scopes: list('a:read', 'b:read') };
  const any: AccessRule = { kind: 'any', scopes: list('a:read', 'b:read') };
  const byMethod: AccessRule = { kind: 'by-method', read: 'f:read' as Scope, write: 'f:write' as Scope };

  it.each<[AccessRule, string[], unknown, string | undefined]>([
    [{ kind: 'public' }, [], 'GET', undefined],
    [{ kind: 'any-key' }, [], 'GET', undefined],
    [all, ['a:read', 'b:read'], 'GET', undefined],
    [all, ['*:read'], 'GET', undefined],
    [all, ['a:read'], 'GET', 'b:read'],
    [all, [], 'GET', 'a:read, b:read'],
    [any, ['b:read'], 'GET', undefined],
    [any, ['c:read'], 'GET', 'a:read or b:read'],
    [any, [], 'GET', 'a:read or b:read'],
    [byMethod, ['f:read'], 'GET', undefined],
    [byMethod, ['f:read'], 'HEAD', undefined],
    [byMethod, ['f:write'], 'GET', 'f:read'],
    [byMethod, ['f:read'], 'POST', 'f:write'],
    [byMethod, ['f:read'], 'PUT', 'f:write'],
    [byMethod, ['f:read'], 'PATCH', 'f:write'],
    [byMethod, ['f:read'], 'DELETE', 'f:write'],
    [byMethod, ['f:read'], 'OPTIONS', 'f:write'],
    [byMethod, ['f:read'], 'QUERY', 'f:write'],
    // A method in another case, or none at all: the greater of the two.
    [byMethod, ['f:read'], 'get', 'f:write'],
    [byMethod, ['f:read'], undefined, 'f:write'],
    [byMethod, ['f:write'], undefined, undefined],
  ])('of %j for %j by %s is %s', (rule, granted, method, unmet) => {
    expect(unmetBy(rule, granted as Scope[], method)).toBe(unmet);
  });
});
