import { coversScopes, missingScopes, type Scope } from '../principal/scope.js';

/** What one decorator says about a class or a method. */
export type AccessRule =
  | { readonly kind: 'public' }
  | { readonly kind: 'any-key' }
  | { readonly kind: 'all'; readonly scopes: readonly Scope[] }
  | { readonly kind: 'any'; readonly scopes: readonly Scope[] }
  | { readonly kind: 'by-method'; readonly read: Scope; readonly write: Scope };

/** What a caller must have, from all that class and method say. */
export type AccessPolicy =
  | { readonly access: 'public' }
  | { readonly access: 'undeclared' }
  | { readonly access: 'key'; readonly rules: readonly AccessRule[] };

const RULES = Symbol.for('nestjs-keyfence:access-rules');

/** Adds a rule to what a class or a method says already. Decorators add up, whatever their order. */
export function addRule(target: object, rule: AccessRule): void {
  const rules = [...ownRules(target), rule];
  if (rules.some(isPublic) && !rules.every(isPublic)) {
    const name = 'name' in target ? String(target.name) : 'a handler';
    throw new Error(`Keyfence: ${name} is both public (@SkipApiKey) and restricted. Keep one of the two.`);
  }
  Reflect.defineMetadata(RULES, rules, target);
}

/**
 * What class and method say together. Requirements add up, also over inherited classes. `@SkipApiKey()` on a method opens
 * it; any requirement on a method closes a class-level skip; a class is public only if no requirement is on it or above.
 */
export function policyOf(target: object, handler: object): AccessPolicy {
  const onMethod = ownRules(handler);
  const onClass = inheritedRules(target);
  if (onMethod.some(isPublic)) return { access: 'public' };
  const rules = [...onClass, ...onMethod].filter((rule) => !isPublic(rule));
  if (rules.length > 0) return { access: 'key', rules };
  return { access: onClass.some(isPublic) ? 'public' : 'undeclared' };
}

/**
 * What a holder of these scopes lacks for a rule, in words for the answer; `undefined` if nothing.
 * @param method the HTTP method, where there is one
 */
export function unmetBy(rule: AccessRule, granted: readonly Scope[], method: unknown): string | undefined {
  switch (rule.kind) {
    case 'public':
    case 'any-key':
      return undefined;
    case 'any':
      return rule.scopes.some((scope) => coversScopes(granted, [scope])) ? undefined : rule.scopes.join(' or ');
    case 'all':
      return joined(missingScopes(granted, rule.scopes));
    case 'by-method':
      return joined(missingScopes(granted, [method === 'GET' || method === 'HEAD' ? rule.read : rule.write]));
  }
}

function joined(scopes: readonly Scope[]): string | undefined {
  return scopes.length === 0 ? undefined : scopes.join(', ');
}

function ownRules(target: object): readonly AccessRule[] {
  return (Reflect.getOwnMetadata(RULES, target) as AccessRule[] | undefined) ?? [];
}

function inheritedRules(target: object): readonly AccessRule[] {
  const rules: AccessRule[] = [];
  for (let owner: object | null = target; owner !== null; owner = Object.getPrototypeOf(owner) as object | null) {
    rules.push(...ownRules(owner));
  }
  return rules;
}

function isPublic(rule: AccessRule): boolean {
  return rule.kind === 'public';
}

/** What a policy requires, in words. */
export function describePolicy(policy: AccessPolicy): string[] {
  return policy.access === 'key' ? policy.rules.map(describeRule) : [];
}

function describeRule(rule: AccessRule): string {
  switch (rule.kind) {
    case 'public':
      return 'nothing';
    case 'any-key':
      return 'any valid key';
    case 'all':
      return rule.scopes.join(' and ');
    case 'any':
      return rule.scopes.join(' or ');
    case 'by-method':
      return `${rule.read} (GET, HEAD) or else ${rule.write}`;
  }
}
