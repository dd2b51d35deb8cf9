import { createHmac, createSecretKey, hash, randomBytes, timingSafeEqual, type KeyObject } from 'node:crypto';

/** The only home of `node:crypto`: random key text, digests at rest, and the one comparison of secrets. */

const BASE62 = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz';
const BASE62_VALUES: readonly (number | undefined)[] = Array.from({ length: 128 }, (_, code) => {
  const value = BASE62.indexOf(String.fromCharCode(code));
  return value === -1 ? undefined : value;
});
/** The largest multiple of 62 in a byte; bytes above are drawn again, or some characters would be likelier. */
const UNBIASED_BELOW = 248;

/** The version of digests without a pepper; those with one are `hmac-sha256:<pepper version>`. */
const UNPEPPERED = 'sha256';
const PEPPERED = 'hmac-sha256:';
/** Compared with when there is no record, so that an unknown key takes the time of a known one. */
const NO_DIGEST = '0'.repeat(64);

/** Secrets that digests are made with, by version. They are kept apart from the store: a stolen store alone tells nothing. */
export interface Peppers {
  /** The version that new digests are made with. */
  readonly current: string;
  readonly secrets: Readonly<Record<string, string>>;
}

/**
 * Makes and checks the digests of keys.
 *
 * Without peppers a digest is SHA-256 of the key. It needs no salt and no slow hash: a key that Keyfence issued has 220
 * random bits, which cannot be guessed. With peppers it is HMAC-SHA-256 (RFC 2104), and a copy of the store can neither be
 * used nor searched for weak keys of other origin.
 */
export class KeyDigester {
  /** What `digestVersion` of a new record is. */
  readonly version: string;
  readonly #peppers = new Map<string, KeyObject>();

  constructor(peppers?: Peppers) {
    this.version = peppers === undefined ? UNPEPPERED : PEPPERED + peppers.current;
    for (const [version, secret] of Object.entries(peppers?.secrets ?? {})) {
      this.#peppers.set(PEPPERED + version, createSecretKey(secret, 'utf8'));
    }
  }

  /** A digest, as 64 hexadecimal characters, of the version that new records have. */
  digest(text: string): string {
    return this.#digest(text, this.version) ?? sha256(text);
  }

  /** Whether a key has this digest; `undefined` for a version that is not known here. */
  matches(text: string, digest: string, version: string): boolean | undefined {
    const own = this.#digest(text, version);
    return own === undefined ? undefined : equalDigests(own, digest);
  }

  /** Takes as long as {@link matches} does for a new record. */
  matchesNothing(text: string): void {
    this.matches(text, NO_DIGEST, this.version);
  }

  #digest(text: string, version: string): string | undefined {
    if (version === UNPEPPERED) return sha256(text);
    const pepper = this.#peppers.get(version);
    return pepper && createHmac('sha256', pepper).update(text).digest('hex');
  }
}

/** The locator of a key in somebody else's format. Not a part of the digest, which would then be half known. */
export function deriveLocator(text: string): string {
  return sha256(`nestjs-keyfence:locator:${text}`).slice(0, 32);
}

/** Random lower-case hexadecimal text of `bytes` bytes. */
export function randomHex(bytes: number): string {
  return randomBytes(bytes).toString('hex');
}

/** Random base62 text, every character equally likely. */
export function randomBase62(length: number): string {
  let text = '';
  while (text.length < length) {
    for (const byte of randomBytes(length)) {
      if (byte < UNBIASED_BELOW && text.length < length) text += BASE62.charAt(byte % BASE62.length);
    }
  }
  return text;
}

/** The number that a base62 text stands for; `NaN` if it is none. Exact below 2^53. */
export function fromBase62(text: string): number {
  let value = 0;
  for (let index = 0; index < text.length; index += 1) {
    value = value * BASE62.length + (BASE62_VALUES[text.charCodeAt(index)] ?? Number.NaN);
  }
  return value;
}

/** A number in base62, padded to a width. */
export function toBase62(value: number, width: number): string {
  let text = '';
  for (let rest = value; text.length < width; rest = Math.floor(rest / BASE62.length)) {
    text = BASE62.charAt(rest % BASE62.length) + text;
  }
  return text;
}

/** Used again for every comparison, which no other code runs between: a new pair would cost more than the comparison. */
const COMPARED = [Buffer.alloc(NO_DIGEST.length), Buffer.alloc(NO_DIGEST.length)] as const;

/** Compares two digests in a time that does not depend on where they differ. False if either is no digest. */
function equalDigests(left: string, right: string): boolean {
  const [a, b] = COMPARED;
  // What was not written whole, or takes more than a byte a character, is no digest.
  if (left.length !== a.length || right.length !== b.length) return false;
  if (a.write(left, 'utf8') !== a.length || b.write(right, 'utf8') !== b.length) return false;
  return timingSafeEqual(a, b);
}

function sha256(text: string): string {
  return hash('sha256', text, 'hex');
}

/** The name that Redis gives a script: its SHA-1. It names what is public and guards nothing. */
export function scriptName(text: string): string {
  return hash('sha1', text, 'hex');
}
