import { ConfinedDirectory } from '../confined-fs/confined-directory.js';
import type { RootCache } from '../confined-fs/root-cache.js';
import type { TenantId } from '../principal/tenant-id.js';

/**
 * One tenant's files, as a capability: it cannot name another tenant. All that it promises, and its limits per platform,
 * is on {@link ConfinedDirectory}.
 */
export class TenantDirectory extends ConfinedDirectory {
  /** @internal Use `FileService.forTenant()` or `@TenantFiles()`. */
  constructor(
    readonly tenantId: TenantId,
    roots: RootCache,
    path: string,
    readOnly: boolean,
  ) {
    super(roots, path, readOnly);
  }
}
