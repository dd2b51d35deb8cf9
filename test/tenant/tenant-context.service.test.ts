import { setTimeout as later } from 'node:timers/promises';
import { describe, expect, it } from '@jest/globals';
import type { Principal } from '../../src/principal/principal.js';
import { runWithCarrier } from '../../src/tenant/async-context.js';
import { admit } from '../../src/tenant/call.js';
import { TenantContext } from '../../src/tenant/tenant-context.service.js';

function carrier(tenantId: string): object {
  const request = {};
  const principal = { tenantId, keyId: `key_${tenantId}`, scopes: [] } as unknown as Principal;
  admit(request, principal);
  return request;
}

describe('TenantContext', () => {
  it('gives the principal, statically and injected', () => {
    runWithCarrier(carrier('acme'), () => {
      expect(TenantContext.current().tenantId).toBe('acme');
      expect(new TenantContext().current().tenantId).toBe('acme');
    });
  });

  it('gives it in all that the request starts', async () => {
    const seen = await runWithCarrier(carrier('acme'), async () => {
      await later(0);
      const inTimer = await new Promise<string>((resolve) => {
        setImmediate(() => {
          resolve(TenantContext.current().tenantId);
        });
      });
      return [inTimer, TenantContext.current().tenantId];
    });
    expect(seen).toEqual(['acme', 'acme']);
  });

  it('sees a principal that was noted after the context began', () => {
    const request = {};
    runWithCarrier(request, () => {
      expect(() => TenantContext.current()).toThrow();
      const principal = { tenantId: 'acme', keyId: 'key_1', scopes: [] } as unknown as Principal;
      admit(request, principal);
      expect(TenantContext.current()).toBe(principal);
    });
  });

  it('throws outside a request, naming the cure', () => {
    expect(() => TenantContext.current()).toThrow(/outside a request\. .*TenantContextInterceptor/);
    expect(() => TenantContext.current()).toThrow(/set tenantContext: true, or use @CurrentPrincipal\(\)\.$/);
  });

  it('throws in a request without a valid key, naming the cure', () => {
    const request = {};
    admit(request, undefined);
    runWithCarrier(request, () => {
      expect(() => TenantContext.current()).toThrow(/without a valid API key\. .*@RequireApiKey\(\)/);
    });
  });

  it('is over when the request is', () => {
    runWithCarrier(carrier('acme'), () => undefined);
    expect(() => TenantContext.current()).toThrow('outside a request');
  });
});
