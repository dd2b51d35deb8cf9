import { mkdirSync, mkdtempSync, realpathSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';

export const TENANT = 'acme';
/** A file of 1 KB at each of these depths below the tenant's directory. */
export const FILES = { 1: 'a.txt', 3: 'a/b/c.txt', 8: 'a/b/c/d/e/f/g/h.txt' } as const;
export type Depth = keyof typeof FILES;
export const DEPTHS = [1, 3, 8] as const satisfies readonly Depth[];

/** What an attacker swaps: a directory on the way to a file, and a link to a directory outside. */
export const SWAPPED = { directory: 'docs/month', link: 'docs/link', file: 'docs/month/report.txt' } as const;

/** A root with one tenant, and a directory outside it. */
export interface TenantTree {
  readonly root: string;
  readonly tenant: string;
  readonly outsideFile: string;
  remove(): void;
}

export function makeTenantTree(): TenantTree {
  const base = mkdtempSync(join(realpathSync(tmpdir()), 'keyfence-bench-'));
  const root = join(base, 'tenants');
  const tenant = join(root, TENANT);
  const outsideFile = join(base, 'outside', 'report.txt');
  for (const path of Object.values(FILES)) write(join(tenant, path), 'x'.repeat(1024));
  write(join(tenant, SWAPPED.file), 'inside');
  write(outsideFile, 'outside');
  symlinkSync(dirname(outsideFile), join(tenant, SWAPPED.link));
  return {
    root,
    tenant,
    outsideFile,
    remove: () => {
      rmSync(base, { recursive: true });
    },
  };
}

function write(path: string, content: string): void {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, content);
}
