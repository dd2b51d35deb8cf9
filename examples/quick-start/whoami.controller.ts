import { Controller, Get } from '@nestjs/common';
import { CurrentPrincipal, RequireApiKey, type Principal } from 'nestjs-keyfence';

@Controller('whoami')
@RequireApiKey()
export class WhoamiController {
  @Get()
  whoami(@CurrentPrincipal() { tenantId, keyId, scopes }: Principal): Pick<Principal, 'tenantId' | 'keyId' | 'scopes'> {
    return { tenantId, keyId, scopes };
  }
}
