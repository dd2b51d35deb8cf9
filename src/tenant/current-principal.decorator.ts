import { createParamDecorator, type ExecutionContext } from '@nestjs/common';
import { MissingCredentialsException } from '../errors/authentication.exceptions.js';
import { withoutStack } from '../errors/refusal.exception.js';
import type { Principal } from '../principal/principal.js';
import { carrierOf, principalOf } from './call.js';

/** Parameter: who is calling, or `undefined` on a public route that was called without a valid key. */
export const CurrentPrincipal = createParamDecorator((_data: unknown, context: ExecutionContext) =>
  principalOf(carrierOf(context)),
);

/** Parameter: the id of the caller's tenant. Without a valid key the call is answered `missing_credentials`. */
export const CurrentTenant = createParamDecorator(
  (_data: unknown, context: ExecutionContext) => requirePrincipal(context).tenantId,
);

/** Parameter, for pipes that turn a principal into something: as {@link CurrentPrincipal}, and there must be one. */
export const RequiredPrincipal = createParamDecorator((_data: unknown, context: ExecutionContext) =>
  requirePrincipal(context),
);

function requirePrincipal(context: ExecutionContext): Principal {
  const principal = principalOf(carrierOf(context));
  if (principal === undefined) throw withoutStack(() => new MissingCredentialsException());
  return principal;
}
