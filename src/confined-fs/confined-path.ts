import { decodings, IRREGULAR_ENCODING } from '../encoding/percent-decoding.js';
import { InvalidPathException, PathEscapeException, type PathEscapeReason } from '../errors/path.exceptions.js';
import { withoutStack } from '../errors/refusal.exception.js';

/**
 * A relative POSIX path in the one grammar that holds on every platform: components joined by `/`, none of them empty,
 * `.` or `..`. It says nothing about the file system: symbolic links and mounts are refused when it is opened.
 */
export type ConfinedPath = string & { readonly __keyfence: 'ConfinedPath' };

/** The directory itself. */
export const ROOT_PATH = '' as ConfinedPath;

/** NAME_MAX of Linux, macOS and NTFS, in bytes. */
const MAX_COMPONENT_BYTES = 255;
/** PATH_MAX of Linux is 4096 with the final NUL. */
const MAX_PATH_BYTES = 4095;
/** Deeper trees are made by accident or by an attacker, and every level costs a handle to walk. */
const MAX_DEPTH = 64;

/** Names that begin so are the library's own (temporary files); nobody reads, writes or lists them. */
export const RESERVED_PREFIX = '.keyfence-';

/** An encoded `.`, `/`, `\` or NUL. */
const ENCODED_SEPARATOR = /%(?:2e|2f|5c|00)/i;
// eslint-disable-next-line no-control-regex -- control characters are what it looks for
const CONTROL = /[\u0000-\u001f\u007f-\u009f]/;
/** Characters that Windows refuses in names or gives a meaning to (streams, wildcards). */
const NOT_PORTABLE = /[<>:"|?*]/;
const DRIVE = /^[A-Za-z]:/;
const WINDOWS_DEVICE = /^(?:con|prn|aux|nul|conin\$|conout\$|(?:com|lpt)[0-9\u00b9\u00b2\u00b3])\s*(?:\.|$)/i;
/** The short names that NTFS makes for long ones, such as `PROGRA~1`. */
const SHORT_NAME = /^[^.]{1,6}~[0-9]+(?:\.[^.]{0,3})?$/;

/**
 * Reads a caller's path. The text is used as given: nothing is decoded, normalized or trimmed.
 * @throws PathEscapeException for `..`, absolute paths, drives and encoded traversal
 * @throws InvalidPathException for every other text that is no path in the grammar
 */
export function parseConfinedPath(text: unknown): ConfinedPath {
  if (typeof text !== 'string' || text === '') throw invalid('The path is empty.');
  if (text.length > MAX_PATH_BYTES) throw invalid('The path is too long.');
  if (CONTROL.test(text)) throw invalid('The path holds a control character.');
  const parts = text.split(/[/\\]/);
  if (parts.includes('..')) throw escape('traversal');
  if (parts[0] === '' || DRIVE.test(text)) throw escape('absolute');
  if (isEncodedTraversal(text)) throw escape('encoded');
  if (text.includes('\\')) throw invalid('The path holds a backslash.');
  if (!text.isWellFormed()) throw invalid('The path is not well-formed Unicode.');
  if (text.length * 3 > MAX_PATH_BYTES && Buffer.byteLength(text) > MAX_PATH_BYTES) {
    throw invalid('The path is too long.');
  }
  if (parts.length > MAX_DEPTH) throw invalid('The path is too deep.');
  for (const part of parts) checkComponent(part);
  return text as ConfinedPath;
}

/** A path is its parent's path and its own name. */
export function splitPath(path: ConfinedPath): { readonly parent: ConfinedPath; readonly name: string } {
  const slash = path.lastIndexOf('/');
  return { parent: path.slice(0, Math.max(slash, 0)) as ConfinedPath, name: path.slice(slash + 1) };
}

/** The path of an entry that was found in a directory, or `undefined` if nobody could ask for it. */
export function entryPath(directory: ConfinedPath, name: string): ConfinedPath | undefined {
  try {
    return parseConfinedPath(directory === ROOT_PATH ? name : `${directory}/${name}`);
  } catch {
    return undefined;
  }
}

/**
 * What percent-decoding, once or many times, would turn into a way out. Nothing is decoded here, so such text could be a
 * name; but whoever decodes it later would be led out.
 */
function isEncodedTraversal(text: string): boolean {
  if (!text.includes('%')) return false;
  const forms = decodings(text);
  return forms === undefined || forms.some((form) => ENCODED_SEPARATOR.test(form) || IRREGULAR_ENCODING.test(form));
}

function checkComponent(name: string): void {
  if (name === '' || name === '.') throw invalid("The path has an empty or '.' component.");
  if (name.length * 3 > MAX_COMPONENT_BYTES && Buffer.byteLength(name) > MAX_COMPONENT_BYTES) {
    throw invalid('A name in the path is too long.');
  }
  if (NOT_PORTABLE.test(name) || WINDOWS_DEVICE.test(name) || SHORT_NAME.test(name) || /[ .]$/.test(name)) {
    throw invalid('A name in the path is not portable.');
  }
  if (name.toLowerCase().startsWith(RESERVED_PREFIX)) throw invalid('A name in the path is reserved.');
}

function invalid(message: string): InvalidPathException {
  return withoutStack(() => new InvalidPathException(message));
}

function escape(reason: PathEscapeReason): PathEscapeException {
  return withoutStack(() => new PathEscapeException(reason));
}
