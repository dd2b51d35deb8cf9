import type { Scope } from './scope.js';
import type { TenantId } from './tenant-id.js';

/** Who is calling: what a valid API key becomes, and all that later code sees of it. Frozen. */
export interface Principal {
  readonly tenantId: TenantId;
  /** The id of the key's record; safe to log. */
  readonly keyId: string;
  readonly scopes: readonly Scope[];
  /**
   * Path grants: what the key may reach of its tenant's directory, `dir/**` or one file each. Absent: all of it. An empty
   * list: nothing.
   */
  readonly paths?: readonly string[];
  /** When the key stops working, if it does. */
  readonly expiresAt?: Date;
  /** Addresses and ranges that the key is bound to, if it is. */
  readonly allowedIps?: readonly string[];
  /** What the issuer noted on the key. */
  readonly metadata?: Readonly<Record<string, unknown>>;
}
