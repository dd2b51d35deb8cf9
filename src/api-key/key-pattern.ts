import { KeyfenceConfigurationError } from '../errors/configuration.error.js';
import { LABEL, type ApiKeyFormat } from './api-key-format.js';

/** Whose keys are meant: those of one prefix, of one environment, of both, or, with neither, of any. */
export type KeyLabel = Partial<ApiKeyFormat>;

/**
 * The parts of a key's text as regular expressions, in the syntax that JavaScript, RE2 and Hyperscan have in common: no
 * look-around, no group, and every repetition bounded, so that no text takes more than linear time to search.
 */
export const ID_PATTERN = '[0-9a-f]{16}';
export const SECRET_CHARACTER = '[0-9A-Za-z]';
/** Secret and checksum. */
export const SECRET_LENGTH = 43;

/** The part before the first `_`: prefix and environment, each of 1 to 16 characters. */
const ANY_PART = '[a-z][a-z0-9]{0,15}';
const ANY_LABEL = '[a-z][a-z0-9]{0,31}';

/** What matches the part of a key before its first `_`. */
export function labelPattern({ prefix, environment }: KeyLabel): string {
  if (prefix === undefined && environment === undefined) return ANY_LABEL;
  return partPattern('prefix', prefix) + partPattern('environment', environment);
}

/** It becomes a part of an expression, so nothing that has a meaning in one may pass. */
function partPattern(name: keyof ApiKeyFormat, part: string | undefined): string {
  if (part === undefined) return ANY_PART;
  if (LABEL.test(part)) return part;
  throw new KeyfenceConfigurationError(
    name,
    `is ${JSON.stringify(part)}`,
    'Give what apiKey has: 1 to 16 lower-case letters and digits, a letter first',
  );
}

/** What matches a whole key. */
export function keyPattern(label: KeyLabel): string {
  return `${labelPattern(label)}_${ID_PATTERN}_${SECRET_CHARACTER}{${SECRET_LENGTH}}`;
}
