import { hash, randomBytes, timingSafeEqual } from 'node:crypto';

/** The only home of `node:crypto`: random key text, digests at rest, and the one comparison of secrets. */

const BASE62 = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz';
/** The largest multiple of 62 in a byte; bytes above are drawn again, or some characters would be likelier. */
const UNBIASED_BELOW = 248;

/**
 * How a key's text becomes its digest at rest. `sha256` has no salt and no pepper, which is enough for keys that are
 * random: 220 bits cannot be guessed, so there is nothing for a slow hash to slow down.
 */
export type DigestVersion = 'sha256';

/** A digest, as 64 hexadecimal characters. */
export function digestKey(text: string): string {
  return hash('sha256', text, 'hex');
}

/** The locator of a key in somebody else's format. Not a part of the digest, which would then be half known. */
export function deriveLocator(text: string): string {
  return hash('sha256', `nestjs-keyfence:locator:${text}`, 'hex').slice(0, 32);
}

/** Compares two digests in a time that does not depend on where they differ. False if they differ in length. */
export function equalDigests(left: string, right: string): boolean {
  const a = Buffer.from(left);
  const b = Buffer.from(right);
  return a.length === b.length && timingSafeEqual(a, b);
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

/** A number in base62, padded to a width. */
export function toBase62(value: number, width: number): string {
  let text = '';
  for (let rest = value; text.length < width; rest = Math.floor(rest / BASE62.length)) {
    text = BASE62.charAt(rest % BASE62.length) + text;
  }
  return text;
}
