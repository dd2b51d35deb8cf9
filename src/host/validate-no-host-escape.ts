import { lstatSync, realpathSync } from 'node:fs';
import { dirname, isAbsolute, join, parse, relative, resolve, sep } from 'node:path';
import { types } from 'node:util';
import { KeyfenceConfigurationError } from '../errors/configuration.error.js';
import { PathEscapeException, type PathEscapeReason } from '../errors/path.exceptions.js';
import { withoutStack } from '../errors/refusal.exception.js';

declare const hostPathBrand: unique symbol;

/** A path that {@link validateNoHostEscape} let pass: absolute, symbolic links resolved. True when it was checked. */
export type HostPath = string & { readonly [hostPathBrand]: true };

/** Where a path may lead if nothing else is said. */
export const DEFAULT_ALLOWED_PREFIXES: readonly string[] = ['/sandbox/tenants', '/tmp/container-safe'];

/** What is decoded this often and still changes is not a path that anybody means. */
const MAX_DECODINGS = 3;
/** UTF-8 that is longer than it need be, which lenient decoders turn into `.` and `/`. */
const OVERLONG = /%(?:25)*(?:c0|c1|[ef]0%(?:25)*80)/i;

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
 * @param allowedPrefixes absolute directories, resolved too
 * @returns the resolved path: use this, not the text that was given
 * @throws PathEscapeException, a `ForbiddenException`, unless the path lies at or below an allowed directory
 * @throws KeyfenceConfigurationError if a prefix is not absolute
 */
export function validateNoHostEscape(
  path: string,
  allowedPrefixes: readonly string[] = DEFAULT_ALLOWED_PREFIXES,
): HostPath {
  const prefixes = allowedPrefixes.map(resolvePrefix);
  if (typeof path !== 'string' || path === '' || path.includes('\0')) throw refused('unresolvable');
  const resolved = resolveLikeKernel(path);
  if (!isBelowAny(resolved, prefixes)) throw refused('outside_allowed_prefixes');
  for (const decoded of decodings(path)) {
    if (decoded.includes('\0') || !isBelowAny(resolveLikeKernel(decoded), prefixes)) throw refused('encoded');
  }
  return resolved as HostPath;
}

function resolvePrefix(prefix: string): string {
  if (typeof prefix === 'string' && isAbsolute(prefix)) return resolveLikeKernel(prefix);
  throw new KeyfenceConfigurationError(
    'allowedPrefixes',
    'holds what is no absolute path',
    "Give absolute directories, such as ['/sandbox/tenants'].",
  );
}

/** What the text becomes if somebody decodes it later, once or more often. */
function decodings(path: string): string[] {
  if (OVERLONG.test(path)) throw refused('encoded');
  const found: string[] = [];
  for (let text = path, decoded = decode(text); decoded !== text; decoded = decode(text)) {
    if (found.length === MAX_DECODINGS) throw refused('encoded');
    found.push(decoded);
    text = decoded;
  }
  return found;
}

/** Byte by byte, so that text with a stray `%` is decoded as far as it goes. */
function decode(text: string): string {
  return text.replace(/%([0-9a-f]{2})/gi, (_match, hex: string) => String.fromCharCode(parseInt(hex, 16)));
}

function resolveLikeKernel(path: string): string {
  const absolute = isAbsolute(path) ? path : `${process.cwd()}${sep}${path}`;
  const { root } = parse(absolute);
  const components = absolute.slice(root.length).split(sep === '\\' ? /[\\/]/ : '/');
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
