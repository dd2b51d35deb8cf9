import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const ROOT = fileURLToPath(new URL('../..', import.meta.url));

/** Both builds; `npm test` makes them first. */
export const BUILDS = ['esm', 'cjs'] as const;

/** What these tests read of package.json. */
export interface Manifest {
  readonly type: string;
  readonly main: string;
  readonly module: string;
  readonly types: string;
  readonly exports: Readonly<Record<string, unknown>>;
  readonly typesVersions: Readonly<Record<string, Readonly<Record<string, readonly string[]>>>>;
  readonly dependencies: Readonly<Record<string, string>>;
  readonly peerDependencies: Readonly<Record<string, string>>;
  readonly peerDependenciesMeta: Readonly<Record<string, { readonly optional?: boolean }>>;
}

export const manifest = JSON.parse(readText('package.json')) as Manifest;

export function readText(path: string): string {
  return readFileSync(join(ROOT, path), 'utf8');
}

/** The files below a folder of the repository whose names end so, relative to the repository. */
export function filesIn(folder: string, ending: string): string[] {
  const files = readdirSync(join(ROOT, folder), { recursive: true, encoding: 'utf8' });
  const found = files.filter((file) => file.endsWith(ending)).map((file) => `${folder}/${file.replaceAll('\\', '/')}`);
  if (found.length === 0) throw new Error(`There is no ${ending} in ${folder}. Run: npm run build`);
  return found;
}
