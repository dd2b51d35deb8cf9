import { Controller, Get, Post } from '@nestjs/common';
import {
  CurrentPrincipal,
  CurrentTenant,
  RequireApiKey,
  RequireScopes,
  SkipApiKey,
  type Principal,
} from 'nestjs-keyfence';
import { TenantNames } from '../feature-library/index.cjs';
import { AuditService } from './audit.service.js';
import { Journal } from './journal.js';

@Controller()
export class AccountController {
  constructor(
    private readonly audit: AuditService,
    private readonly tenantNames: TenantNames,
    private readonly journal: Journal,
  ) {}

  @Get('health')
  @SkipApiKey()
  health(): { status: string; handled: readonly string[] } {
    return { status: 'ok', handled: this.journal.entries };
  }

  @Get('whoami')
  @RequireApiKey()
  whoami(@CurrentPrincipal() { scopes }: Principal, @CurrentTenant() tenantId: string): Omit<Principal, 'keyId'> {
    this.journal.note('whoami');
    return { tenantId: tenantId as Principal['tenantId'], scopes };
  }

  /** The middleware is told to pass it by. */
  @Get('unwatched')
  @RequireApiKey()
  unwatched(@CurrentTenant() tenantId: string): { tenantId: string } {
    this.journal.note('unwatched');
    return { tenantId };
  }

  @Post('reports')
  @RequireScopes('reports:write')
  report(): { done: boolean } {
    this.journal.note('report');
    return { done: true };
  }

  @Get('undeclared')
  undeclared(): { reached: boolean } {
    this.journal.note('undeclared');
    return { reached: true };
  }

  @Get('callers')
  @RequireApiKey()
  async callers(): Promise<{ callers: readonly string[] }> {
    return { callers: await this.audit.callers() };
  }

  @Get('feature')
  @RequireApiKey()
  feature(): { name: string } {
    return { name: this.tenantNames.current() };
  }
}
