/**
 * What holds a tenant's files inside the tenant's directory on this machine, from strongest to weakest.
 *
 * - `kernel`: `openat2(2)` with `RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS | RESOLVE_NO_XDEV`.
 * - `procfs`: every step is taken from an open directory through `/proc/self/fd`. As safe against races as `kernel`.
 * - `platform-flag`: an open flag of the platform refuses symbolic links in the whole path.
 * - `best-effort`: the path is checked before and after it is opened. An attacker who can rename directories in the
 *   tenant's tree while it is read can win the race.
 */
export type Strictness = 'kernel' | 'procfs' | 'platform-flag' | 'best-effort';

const STRONGEST_FIRST: readonly Strictness[] = ['kernel', 'procfs', 'platform-flag', 'best-effort'];

/** True if `actual` is at least as strong as `required`. */
export function isAtLeast(actual: Strictness, required: Strictness): boolean {
  return STRONGEST_FIRST.indexOf(actual) <= STRONGEST_FIRST.indexOf(required);
}

/** True for a value that names a {@link Strictness}. */
export function isStrictness(value: unknown): value is Strictness {
  return STRONGEST_FIRST.some((strictness) => strictness === value);
}
