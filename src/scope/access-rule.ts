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

/** A class, such as a controller. */
export type Constructor = abstract new (...args: never[]) => unknown;

const RULES = Symbol.for('nestjs-keyfence:access-rules');

/**
 * Adds a rule to what a class or one of its methods says already. Decorators add up, whatever their order.
 * @param target a class, or the prototype that has the method
 */
export function addRule(target: object, method: string | symbol | undefined, rule: AccessRule): void {
  const rules = [...ownRules(target, method), rule];
  if (rules.some(isPublic) && !rules.every(isPublic)) {
    const owner = typeof target === 'function' ? target : target.constructor;
    const place = method === undefined ? owner.name : `${owner.name}.${String(method)}()`;
    throw new Error(`Keyfence: ${place} is both public (@SkipApiKey) and restricted. Keep one of the two.`);
  }
  if (method === undefined) Reflect.defineMetadata(RULES, rules, target);
  else Reflect.defineMetadata(RULES, rules, target, method);
}

/**
 * What class and method say together. Requirements add up, also those of inherited classes and of the methods that a method
 * overrides. `@SkipApiKey()` on a method opens it; any requirement on a method closes a class-level skip; a class is public
 * only if no requirement is on it or above.
 */
export function policyOf(target: Constructor, handler: object): AccessPolicy {
  const onMethod = methodRules(target, handler);
  const onClass = chainOf(target).flatMap((owner) => ownRules(owner));
  const required = (rules: readonly AccessRule[]): AccessRule[] => rules.filter((rule) => !isPublic(rule));
  if (onMethod.length > 0 && required(onMethod).length === 0) return { access: 'public' };
  const rules = required([...onClass, ...onMethod]);
  if (rules.length > 0) return { access: 'key', rules };
  return { access: onClass.length > 0 ? 'public' : 'undeclared' };
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

/**
 * By the method's name and not by its function: another decorator may put its own function in the place of the one that a
 * rule was written on.
 */
function methodRules(target: Constructor, handler: object): AccessRule[] {
  const prototypes = chainOf(target.prototype as object);
  const names = prototypes.flatMap((prototype) =>
    Reflect.ownKeys(prototype).filter((name) => Object.getOwnPropertyDescriptor(prototype, name)?.value === handler),
  );
  return [...new Set(names)].flatMap((name) => prototypes.flatMap((prototype) => ownRules(prototype, name)));
}

function ownRules(target: object, method?: string | symbol): readonly AccessRule[] {
  const rules: unknown =
    method === undefined ? Reflect.getOwnMetadata(RULES, target) : Reflect.getOwnMetadata(RULES, target, method);
  return (rules as AccessRule[] | undefined) ?? [];
}

function chainOf(start: object): object[] {
  const chain: object[] = [];
  for (let next: object | null = start; next !== null; next = Object.getPrototypeOf(next) as object | null)
    chain.push(next);
  return chain;
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
