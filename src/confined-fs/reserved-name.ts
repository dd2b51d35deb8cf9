import { RESERVED_PREFIX } from './confined-path.js';

let count = 0;

/**
 * A new name in the library's own part of a directory, which no path can name. Creating with `O_EXCL`, or renaming, decides
 * whether it is taken, so that it needs to be unlikely and not unpredictable.
 */
export function reservedName(): string {
  count += 1;
  return `${RESERVED_PREFIX}${process.pid}-${count}-${Date.now().toString(36)}.tmp`;
}
