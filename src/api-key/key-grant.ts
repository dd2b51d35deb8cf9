import { isGrantWithin, isPathGrant } from '../confined-fs/path-grant.js';
import { GrantExceededException } from '../errors/authorization.exceptions.js';
import type { Principal } from '../principal/principal.js';
import { missingScopes } from '../principal/scope.js';
import { isWithin } from './allowed-addresses.js';
import type { ParsedNewKey } from './new-api-key.js';

/**
 * A key as its grantor may give it: scopes, life, addresses and paths within the grantor's own. Addresses and paths that
 * are left out are the grantor's.
 * @throws GrantExceededException that names only what exceeds
 */
export function withinGrant(key: ParsedNewKey, grantor: Principal | undefined): ParsedNewKey {
  if (grantor === undefined) return key;
  const excess = missingScopes(grantor.scopes, key.scopes);
  if (excess.length > 0) throw new GrantExceededException(excess.join(', '));
  if (grantor.expiresAt !== undefined && (key.expiresAt === undefined || key.expiresAt > grantor.expiresAt)) {
    throw new GrantExceededException('a longer life than its own');
  }
  return {
    ...key,
    allowedIps: narrowed(key.allowedIps, grantor.allowedIps, isWithin),
    paths: narrowed(key.paths, grantor.paths?.filter(isPathGrant), isGrantWithin),
  };
}

/**
 * That a grantor could have given a key as it is: only such keys does it change, replace or end.
 * @throws GrantExceededException
 */
export function requireWithinGrant(key: ParsedNewKey, grantor: Principal | undefined): void {
  const given = withinGrant(key, grantor);
  if (given.allowedIps !== key.allowedIps) throw new GrantExceededException('all addresses');
  if (given.paths !== key.paths) throw new GrantExceededException('all paths');
}

/** What is left out is the grantor's; what is given must lie within it. */
function narrowed<T extends string>(
  wanted: readonly T[] | undefined,
  limits: readonly T[] | undefined,
  isWithinLimit: (entry: T, limit: T) => boolean,
): readonly T[] | undefined {
  if (limits === undefined) return wanted;
  const wider = (wanted ?? limits).filter((entry) => !limits.some((limit) => isWithinLimit(entry, limit)));
  if (wider.length > 0) throw new GrantExceededException(wider.join(', '));
  return wanted ?? limits;
}
