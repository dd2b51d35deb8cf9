/** What a key may do: `resource:action`. `*` stands for one whole segment (`files:*`, `*:read`) and for nothing less. */
export type Scope = string & { readonly __keyfence: 'Scope' };

/** How a scope must look, for messages. */
export const SCOPE_RULE =
  'a scope is "resource:action", each part 1 to 64 characters of A-Z, a-z, 0-9, "_", "-" and ".", or "*" for the whole part';

const SCOPE = /^(?:\*|[A-Za-z0-9_.-]{1,64}):(?:\*|[A-Za-z0-9_.-]{1,64})$/;

/** True if the value is a well-formed {@link Scope}. */
export function isScope(value: unknown): value is Scope {
  return typeof value === 'string' && SCOPE.test(value);
}

/** The required scopes that the granted ones do not cover, in the order given. */
export function missingScopes(granted: readonly Scope[], required: readonly Scope[]): Scope[] {
  return required.filter((scope) => !coversScope(granted, scope));
}

/** True if the granted scopes cover every required one. A required `*` is covered by a granted `*` only. */
export function coversScopes(granted: readonly Scope[], required: readonly Scope[]): boolean {
  return required.every((scope) => coversScope(granted, scope));
}

function coversScope(granted: readonly Scope[], required: Scope): boolean {
  if (granted.includes(required)) return true;
  const [resource, action] = segments(required);
  return granted.some((scope) => {
    const [grantedResource, grantedAction] = segments(scope);
    return coversSegment(grantedResource, resource) && coversSegment(grantedAction, action);
  });
}

function coversSegment(granted: string, required: string): boolean {
  return granted === '*' || granted === required;
}

function segments(scope: Scope): readonly [string, string] {
  const colon = scope.indexOf(':');
  return [scope.slice(0, colon), scope.slice(colon + 1)];
}
