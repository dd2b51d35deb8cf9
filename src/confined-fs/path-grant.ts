import { parseConfinedPath, ROOT_PATH, type ConfinedPath } from './confined-path.js';

/** What part of a directory somebody may reach: `dir/**` (the directory and all below it), or the path of one file. */
export type PathGrant = string & { readonly __keyfence: 'PathGrant' };

/** Those of one caller, who reaches what any of them covers: nothing, if the list is empty. `undefined` covers everything. */
export type PathGrants = readonly PathGrant[] | undefined;

/** How a path grant must look, for messages. */
export const PATH_GRANT_RULE =
  'a path grant is "dir/**" for a directory and all below it, or the path of one file; "*" has no other place in it';

const ALL_BELOW = '/**';

/** True if the value is a well-formed {@link PathGrant}. `**` alone is none: whoever may reach everything needs no grant. */
export function isPathGrant(value: unknown): value is PathGrant {
  if (typeof value !== 'string') return false;
  try {
    // Any other `*` is refused by the grammar, since no path can hold one.
    parseConfinedPath(value.endsWith(ALL_BELOW) ? value.slice(0, -ALL_BELOW.length) : value);
    return true;
  } catch {
    return false;
  }
}

/**
 * True if any of the grants covers the path.
 *
 * The text decides, and that is enough: the engines refuse links and mounts on the way, so that the path that was checked is
 * the real one, as far as their `strictness` goes. Where a file system takes two spellings for one name, only the one that was
 * granted is covered.
 */
export function isGranted(grants: PathGrants, path: ConfinedPath): boolean {
  return grants?.some((grant) => covers(grant, path)) ?? true;
}

/** True if the path and all that can ever lie below it is covered: for what acts on a whole tree. */
export function isTreeGranted(grants: PathGrants, path: ConfinedPath): boolean {
  return grants?.some((grant) => coversTree(grant, path)) ?? true;
}

/** True if one grant allows no more than another. */
export function isGrantWithin(entry: PathGrant, limit: PathGrant): boolean {
  const directory = directoryOf(entry);
  return directory === undefined ? covers(limit, entry as string as ConfinedPath) : coversTree(limit, directory);
}

/** The names in a directory that are granted by name or lead to what is. */
export function namesTowards(grants: readonly PathGrant[], directory: ConfinedPath): string[] {
  const prefix = directory === ROOT_PATH ? '' : `${directory}/`;
  const names = grants
    .map((grant) => directoryOf(grant) ?? grant)
    .filter((path) => path.startsWith(prefix))
    .flatMap((path) => path.slice(prefix.length).split('/', 1));
  return [...new Set(names)];
}

/** True if a list may start at the directory: it is covered, or leads to what is. The top leads everywhere. */
export function isListable(grants: PathGrants, directory: ConfinedPath): boolean {
  if (grants === undefined || directory === ROOT_PATH) return true;
  return isGranted(grants, directory) || namesTowards(grants, directory).length > 0;
}

function covers(grant: PathGrant, path: ConfinedPath): boolean {
  return (grant as string) === path || coversTree(grant, path);
}

function coversTree(grant: PathGrant, path: ConfinedPath): boolean {
  const directory = directoryOf(grant);
  return directory !== undefined && (path === directory || path.startsWith(`${directory}/`));
}

/** The directory of `dir/**`; `undefined` for a grant of one file. */
function directoryOf(grant: PathGrant): ConfinedPath | undefined {
  return grant.endsWith(ALL_BELOW) ? (grant.slice(0, -ALL_BELOW.length) as ConfinedPath) : undefined;
}
