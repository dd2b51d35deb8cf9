import { isPathGrant, type PathGrant } from '../../src/confined-fs/path-grant.js';

/** A path grant that must be well-formed. */
export function grantOf(text: string): PathGrant {
  if (isPathGrant(text)) return text;
  throw new Error(`This is no path grant: ${text}`);
}
