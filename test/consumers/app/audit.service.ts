import { setTimeout as delay } from 'node:timers/promises';
import { Injectable } from '@nestjs/common';
import { TenantContext } from 'nestjs-keyfence';

/** A singleton that nobody tells who is calling. */
@Injectable()
export class AuditService {
  /** The caller before and after something else had its turn. */
  async callers(): Promise<readonly string[]> {
    const before = TenantContext.current().tenantId;
    await delay(1);
    return [before, TenantContext.current().tenantId];
  }
}
