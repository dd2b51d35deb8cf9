import { ID_PATTERN, labelPattern, SECRET_CHARACTER, SECRET_LENGTH, type KeyLabel } from './key-pattern.js';

/** What stands in the place of a secret. */
export const REDACTED = '[redacted]';

/** A key that was cut is masked from here on. What is shown of a shorter rest leaves 18 random characters, 107 bits. */
const CUT_LENGTH = 20;

const ANY_SECRET = secretOf({});

/**
 * Masks the secret of every Keyfence key in a text, wherever it stands, and leaves all else as it is:
 * `kflive_0123456789abcdef_[redacted]`. What stays, the label and the id, opens nothing and tells you which key it was.
 *
 * It knows keys by their form. It masks keys that were cut short too, unless less than half of the secret is left. It
 * cannot see a key that is not in that form: one that Keyfence did not issue, one that is encoded (`Authorization: Basic`,
 * base64), one that is split over two texts. It takes a time in proportion to the length of the text, whatever is in it.
 * @param format only keys of this prefix, this environment, or both; without it, keys of any
 */
export function redactKeys(text: string, format?: { readonly prefix?: string; readonly environment?: string }): string {
  return text.replace(format === undefined ? ANY_SECRET : secretOf(format), REDACTED);
}

/** Looks behind for label and id, and so never takes them from a key that follows directly upon another. */
function secretOf(label: KeyLabel): RegExp {
  const before = `(?<=${labelPattern(label)}_${ID_PATTERN}_)`;
  return new RegExp(`${before}${SECRET_CHARACTER}{${CUT_LENGTH},${SECRET_LENGTH}}`, 'g');
}
