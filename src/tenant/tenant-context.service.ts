import { Injectable } from '@nestjs/common';
import type { Principal } from '../principal/principal.js';
import { currentCarrier } from './async-context.js';
import { principalOf } from './call.js';

/**
 * The principal of the request that is being handled, in any singleton service: nothing needs to be request-scoped.
 * It works in HTTP and GraphQL handlers and in all that they call; for WebSocket and RPC handlers add
 * `@UseInterceptors(TenantContextInterceptor)`. The option `tenantContext: false` turns it off.
 */
@Injectable()
export class TenantContext {
  /**
   * Who is calling.
   * @throws Error outside a request, with the option `tenantContext: false`, and in a request whose caller has no valid key
   *   (a public route); use `@CurrentPrincipal()` where that is expected
   */
  static current(): Principal {
    const carrier = currentCarrier();
    const principal = principalOf(carrier);
    if (principal !== undefined) return principal;
    throw new Error(
      carrier === undefined
        ? 'TenantContext.current() was called outside a request. Pass the principal along to timers and jobs; for a WebSocket ' +
            'or RPC handler add @UseInterceptors(TenantContextInterceptor) to its class. If it was in a request, the ' +
            'application has tenantContext: false: set tenantContext: true, or use @CurrentPrincipal().'
        : 'TenantContext.current() was called in a request without a valid API key. Does the route declare @RequireApiKey() or ' +
            '@RequireScopes(), and is ScopedKeyGuard active on it?',
    );
  }

  /** The same, for those who inject it. @throws Error as {@link TenantContext.current} */
  current(): Principal {
    return TenantContext.current();
  }
}
