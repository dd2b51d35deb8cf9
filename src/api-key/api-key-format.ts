import { crc32 } from 'node:zlib';
import { deriveLocator, fromBase62, randomBase62, randomHex, toBase62 } from './key-digest.js';

/**
 * The text of a key: `<prefix><environment>_<16 hex id>_<37 base62><6 base62 CRC-32>`, such as `kflive_...`.
 * The id finds the record, the 37 characters are the secret (220 bits), and the checksum covers all that precedes it,
 * so that a mistyped or cut key is refused before any I/O.
 */
export interface ApiKeyFormat {
  readonly prefix: string;
  readonly environment: string;
}

/** A key as a request carried it, once it is known to have a form that a store may hold. */
export interface ApiKeyText {
  readonly text: string;
  /** What the store finds the record by. */
  readonly locator: string;
  /** Absent for a key that Keyfence did not issue. */
  readonly environment?: string;
}

export type UnreadableKeyReason = 'malformed_key' | 'bad_checksum' | 'wrong_environment';

const ID_BYTES = 8;
const SECRET_LENGTH = 37;
const CHECKSUM_LENGTH = 6;

const NATIVE = /^([a-z][a-z0-9]*)_([0-9a-f]{16})_[0-9A-Za-z]{43}$/;
/** Prefix and environment, each; together they are the part of a key before its first `_`. */
export const LABEL = /^[a-z][a-z0-9]{0,15}$/;

/** The environment of a key that Keyfence did not issue: its text says nothing of one. No application can be named so. */
export const ANY_ENVIRONMENT = 'any';

/** Shorter texts can be guessed, longer ones are no keys. For keys that Keyfence did not issue. */
export const FOREIGN_KEY_LENGTH = { min: 16, max: 512 } as const;

/** Makes a new key's text. */
export function generateKey(format: ApiKeyFormat): ApiKeyText {
  const locator = randomHex(ID_BYTES);
  const body = `${format.prefix}${format.environment}_${locator}_${randomBase62(SECRET_LENGTH)}`;
  return { text: body + checksumOf(body), locator, environment: format.environment };
}

/**
 * Reads a key that a request carries.
 * @param foreign whether the store holds keys that Keyfence did not issue
 */
export function readKey(text: string, format: ApiKeyFormat, foreign: boolean): ApiKeyText | UnreadableKeyReason {
  const native = NATIVE.exec(text);
  const label = native?.[1];
  if (label === format.prefix + format.environment) {
    return hasValidChecksum(text)
      ? { text, locator: native?.[2] ?? '', environment: format.environment }
      : 'bad_checksum';
  }
  if (foreign) return readForeignKey(text) ?? 'malformed_key';
  if (label?.startsWith(format.prefix) !== true) return 'malformed_key';
  return hasValidChecksum(text) ? 'wrong_environment' : 'bad_checksum';
}

/** Reads a key in somebody else's format, or in ours: the locator is the same whoever asks. */
export function readForeignKey(text: string): ApiKeyText | undefined {
  if (text.length < FOREIGN_KEY_LENGTH.min || text.length > FOREIGN_KEY_LENGTH.max) return undefined;
  const native = NATIVE.exec(text);
  const locator = native?.[2];
  return { text, locator: locator !== undefined && hasValidChecksum(text) ? locator : deriveLocator(text) };
}

function hasValidChecksum(text: string): boolean {
  return fromBase62(text.slice(-CHECKSUM_LENGTH)) === crc32(text.slice(0, -CHECKSUM_LENGTH));
}

function checksumOf(body: string): string {
  return toBase62(crc32(body), CHECKSUM_LENGTH);
}
