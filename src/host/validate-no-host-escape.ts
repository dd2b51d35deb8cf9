import { lstatSync, realpathSync } from 'node:fs';
import { dirname, isAbsolute, join, parse, relative, resolve, sep } from 'node:path';
import { types } from 'node:util';
import { decodings, IRREGULAR_ENCODING } from '../encoding/percent-decoding.js';
import { KeyfenceConfigurationError } from '../errors/configuration.error.js';
import { PathEscapeException, type PathEscapeReason } from '../errors/path.exceptions.js';
import { withoutStack } from '../errors/refusal.exception.js';

/** A path that {@link validateNoHostEscape} let pass: absolute, symbolic links resolved. True when it was checked. */
export type HostPath = string & { readonly __keyfence: 'HostPath' };

/** Where a path may lead if nothing else is said: `/sandbox/tenants` and `/tmp/container-safe`. */
export const DEFAULT_ALLOWED_PREFIXES: readonly string[] = ['/sandbox/tenants', '/tmp/container-safe'];

/** PATH_MAX of Linux is 4096 with the final NUL; every component is looked up, so their number is bounded too. */
const MAX_PATH_LENGTH = 4095;
const MAX_COMPONENTS = 256;
const SEPARATOR = sep === '\\' ? /[\\/]/ : '/';

/**
 * Refuses a path that leads out of the allowed directories. The path is resolved as the kernel would: `..` after the
 * symbolic link before it, a link to nothing by its target; a part that does not exist yet is taken as it is written.
 * Compared by whole components: `/tmp/container-safe-2` is not below `/tmp/container-safe`. Text that percent-decoding
 * would turn into an escape is refused too.
 *
 * **A gate, not a capability.** It says where the path led when it was asked. A string cannot promise where it will lead
 * when it is used: whoever can rename or link in a directory on the way can change that in between. Hard links and mounts
 * look like any file. For tenants' files use `FileService`, which acts on open handles.
 *
 * @param path what was asked for; a relative one is resolved from the working directory
 * @param allowedPrefixes absolute directories, resolved too; a default one that is a symbolic link itself is not used, since
 *   anybody can plant a link in `/tmp`
 * @returns the resolved path: use this, not the text that was given
 * @throws PathEscapeException, a `ForbiddenException`, unless the path lies at or below an allowed directory
 * @throws KeyfenceConfigurationError if a prefix is not absolute, or leads to the root of the file system
 */
export function validateNoHostEscape(
  path: string,
  allowedPrefixes: readonly string[] = DEFAULT_ALLOWED_PREFIXES,
): HostPath {
  const prefixes = resolvePrefixes(allowedPrefixes);
  if (!isPath(path)) throw refused('unresolvable');
  const resolved = resolveLikeKernel(path);
  if (!isBelowAny(resolved, prefixes)) throw refused('outside_allowed_prefixes');
  // Nothing is decoded here; but whoever decodes the text later must not be led out either.
  const forms = decodings(path);
  const harmless = (form: string): boolean =>
    isPath(form) && !IRREGULAR_ENCODING.test(form) && isBelowAny(resolveLikeKernel(form), prefixes);
  if (forms?.every(harmless) !== true) throw refused('encoded');
  return resolved as HostPath;
}

/** The directories that the prefixes stand for now. @throws KeyfenceConfigurationError */
export function resolvePrefixes(prefixes: readonly string[]): string[] {
  return prefixes.map(resolvePrefix).filter((prefix) => prefix !== undefined);
}

function isPath(text: unknown): text is string {
  if (typeof text !== 'string' || text === '' || text.length > MAX_PATH_LENGTH || text.includes('\0')) return false;
  return text.split(SEPARATOR).length <= MAX_COMPONENTS;
}

/** `undefined` for a default prefix that is a link: in `/tmp` anybody could have planted it. */
function resolvePrefix(prefix: string): string | undefined {
  if (!isPath(prefix) || !isAbsolute(prefix)) throw wrongPrefix('holds what is no absolute path');
  if (DEFAULT_ALLOWED_PREFIXES.includes(prefix) && isLink(prefix)) return undefined;
  const resolved = resolveLikeKernel(prefix);
  if (resolved === parse(resolved).root) throw wrongPrefix('leads to the root of the file system');
  return resolved;
}

function wrongPrefix(problem: string): KeyfenceConfigurationError {
  return new KeyfenceConfigurationError(
    'allowedPrefixes',
    problem,
    "Give absolute directories, such as ['/sandbox/tenants'].",
  );
}

function isLink(path: string): boolean {
  try {
    return lstatSync(path, { throwIfNoEntry: false })?.isSymbolicLink() ?? false;
  } catch {
    return true;
  }
}

function resolveLikeKernel(path: string): string {
  const absolute = isAbsolute(path) ? path : `${process.cwd()}${sep}${path}`;
  const { root } = parse(absolute);
  const components = absolute.slice(root.length).split(SEPARATOR);
  let current = root;
  for (const component of components) {
    if (component === '' || component === '.') continue;
    current = component === '..' ? dirname(current) : follow(join(current, component));
  }
  return current;
}

/** The target of a symbolic link, or the path itself. A link to nothing leads somewhere all the same: it is refused. */
function follow(path: string): string {
  try {
    return realpathSync.native(path);
  } catch (error) {
    if (!isMissing(error) || exists(path)) throw refused('unresolvable');
    return path;
  }
}

function exists(path: string): boolean {
  try {
    return lstatSync(path, { throwIfNoEntry: false }) !== undefined;
  } catch {
    return true;
  }
}

/** Neither for want of permission nor for a loop of links, but because there is nothing. */
function isMissing(error: unknown): boolean {
  return types.isNativeError(error) && 'code' in error && error.code === 'ENOENT';
}

function isBelowAny(path: string, prefixes: readonly string[]): boolean {
  return prefixes.some((prefix) => {
    const way = relative(prefix, resolve(path));
    return way === '' || (way !== '..' && !way.startsWith(`..${sep}`) && !isAbsolute(way));
  });
}

function refused(reason: PathEscapeReason): PathEscapeException {
  return withoutStack(() => new PathEscapeException(reason));
}
