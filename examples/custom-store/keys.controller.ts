import { Body, Controller, Delete, Get, Param, Post, Query } from '@nestjs/common';
import {
  ApiKeyService,
  CurrentPrincipal,
  RequireScopes,
  type ApiKeyRecord,
  type KeyPage,
  type Principal,
} from 'nestjs-keyfence';

/** The keys of the caller's tenant. Nobody gives away, changes or ends more than the own key holds. */
@Controller('keys')
@RequireScopes('keys:manage')
export class KeysController {
  constructor(private readonly keys: ApiKeyService) {}

  @Get()
  list(@CurrentPrincipal() principal: Principal, @Query('cursor') cursor?: string): Promise<KeyPage> {
    return this.keys.forTenant(principal.tenantId).list({ cursor });
  }

  @Post()
  async issue(
    @CurrentPrincipal() principal: Principal,
    // An application checks the body with its own pipes; Keyfence checks it, too.
    @Body() { name, scopes }: { readonly name: string; readonly scopes: readonly string[] },
  ): Promise<{ readonly record: ApiKeyRecord; readonly key: string }> {
    const keys = this.keys.forTenant(principal.tenantId, { grantedBy: principal });
    const { record, secret } = await keys.issue({ name, scopes });
    // The only answer that ever has the key.
    return { record, key: secret.reveal() };
  }

  @Delete(':id')
  revoke(@CurrentPrincipal() principal: Principal, @Param('id') id: string): Promise<ApiKeyRecord> {
    return this.keys.forTenant(principal.tenantId, { grantedBy: principal }).revoke(id);
  }
}
