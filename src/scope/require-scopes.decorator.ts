import { isScope, SCOPE_RULE, type Scope } from '../principal/scope.js';
import { addRule, type AccessRule } from './access-rule.js';

/** A decorator for a controller, a gateway, a resolver, or one of their methods. */
export type AccessDecorator = ClassDecorator & MethodDecorator;

/**
 * The key must hold every one of these scopes. On a class and on a method they add up.
 * @throws Error at start, without scopes or with one that is not well-formed
 * @example
 * @RequireScopes('files:read', 'reports:read')
 */
export function RequireScopes(...scopes: [string, ...string[]]): AccessDecorator {
  return access({ kind: 'all', scopes: parseScopes('@RequireScopes', scopes) });
}

/**
 * The key must hold one of these scopes at least.
 * @throws Error at start, without scopes or with one that is not well-formed
 */
export function RequireAnyScope(...scopes: [string, ...string[]]): AccessDecorator {
  return access({ kind: 'any', scopes: parseScopes('@RequireAnyScope', scopes) });
}

/** Any valid key will do, whatever its scopes. */
export function RequireApiKey(): AccessDecorator {
  return access({ kind: 'any-key' });
}

/**
 * `GET` and `HEAD` need `<resource>:read`; every other method, and a call that has none, needs `<resource>:write`.
 * @throws Error at start, if `resource` cannot be part of a scope
 */
export function ScopesByMethod(resource: string): AccessDecorator {
  const read = parseScope('@ScopesByMethod', `${resource}:read`);
  const write = parseScope('@ScopesByMethod', `${resource}:write`);
  return access({ kind: 'by-method', read, write });
}

/**
 * A public route: no key is needed. On a method it opens that route alone; on a class it opens those of its methods that
 * require nothing themselves.
 */
export function SkipApiKey(): AccessDecorator {
  return access({ kind: 'public' });
}

function access(rule: AccessRule): AccessDecorator {
  return function decorate(target: object, method?: string | symbol): void {
    addRule(target, method, rule);
  };
}

function parseScopes(decorator: string, scopes: readonly string[]): Scope[] {
  if (scopes.length === 0) {
    throw new Error(`Keyfence: ${decorator}() names no scope. Name one, or use @RequireApiKey() for any valid key.`);
  }
  return scopes.map((scope) => parseScope(decorator, scope));
}

function parseScope(decorator: string, scope: string): Scope {
  if (!isScope(scope)) throw new Error(`Keyfence: ${decorator}('${scope}'): ${SCOPE_RULE}.`);
  return scope;
}
