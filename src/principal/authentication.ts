import type { InvalidKeyReason } from '../errors/authentication.exceptions.js';
import type { Principal } from './principal.js';
import type { TenantId } from './tenant-id.js';

/** What was found out about a request's API key. Anything but `authenticated` gives nothing. */
export type Authentication =
  | { readonly status: 'authenticated'; readonly principal: Principal }
  | { readonly status: 'missing' }
  | {
      readonly status: 'invalid';
      readonly reason: InvalidKeyReason;
      /** The key that was named, where there is one. For operators: no caller is told of it. */
      readonly key?: { readonly tenantId: TenantId; readonly keyId: string };
    }
  /** The store failed or did not answer in time. */
  | { readonly status: 'unavailable'; readonly cause: unknown };
