import { GrantExceededException } from '../errors/authorization.exceptions.js';
import type { Principal } from '../principal/principal.js';
import { missingScopes } from '../principal/scope.js';
import { isWithin } from './allowed-addresses.js';
import type { ParsedNewKey } from './new-api-key.js';

/**
 * A new key as its grantor may give it: scopes, life and addresses within the grantor's own. Addresses that are left out are
 * the grantor's.
 * @throws GrantExceededException that names only what exceeds
 */
export function withinGrant(key: ParsedNewKey, grantor: Principal | undefined): ParsedNewKey {
  if (grantor === undefined) return key;
  const excess = missingScopes(grantor.scopes, key.scopes);
  if (excess.length > 0) throw new GrantExceededException(excess.join(', '));
  if (grantor.expiresAt !== undefined && (key.expiresAt === undefined || key.expiresAt > grantor.expiresAt)) {
    throw new GrantExceededException('a longer life than its own');
  }
  const limits = grantor.allowedIps;
  if (limits === undefined) return key;
  const allowedIps = key.allowedIps ?? limits;
  const wider = allowedIps.filter((entry) => !limits.some((limit) => isWithin(entry, limit)));
  if (wider.length > 0) throw new GrantExceededException(wider.join(', '));
  return { ...key, allowedIps };
}
