import { ConfinedDirectory } from '../confined-fs/confined-directory.js';
import type { ConfinedPath } from '../confined-fs/confined-path.js';
import type { PathGrants } from '../confined-fs/path-grant.js';
import type { RootCache } from '../confined-fs/root-cache.js';
import type { TenantId } from '../principal/tenant-id.js';

/**
 * One tenant's files, or the part of them that a key is granted, as a capability: it cannot name another tenant. All that
 * it promises, and its limits per platform, is on {@link ConfinedDirectory}.
 */
export class TenantDirectory extends ConfinedDirectory {
  /** @internal Use `FileService.forTenant()` or `@TenantFiles()`. */
  constructor(
    readonly tenantId: TenantId,
    private readonly root: { readonly roots: RootCache; readonly path: string; readonly readOnly: boolean },
    private readonly grants: PathGrants,
    base?: ConfinedPath,
  ) {
    super(root.roots, root.path, root.readOnly, grants, base);
  }

  override subdirectory(path: string): Promise<TenantDirectory> {
    return super.subdirectory(path) as Promise<TenantDirectory>;
  }

  protected override at(base: ConfinedPath): TenantDirectory {
    return new TenantDirectory(this.tenantId, this.root, this.grants, base);
  }
}
