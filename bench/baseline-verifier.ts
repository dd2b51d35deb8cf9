import { createHmac, timingSafeEqual } from 'node:crypto';
import { crc32 } from 'node:zlib';
import { locatorOf } from './keys.js';

const PEPPER = 'a pepper of thirty-two characters';
const NO_DIGEST = Buffer.alloc(32);
const BASE62 = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz';
const CHECKSUM_LENGTH = 6;

/**
 * The least that a verifier of such keys does: checksum, HMAC-SHA-256, look-up in a Map, comparison in constant time. It
 * checks no expiry, no revocation and no environment, reads no record, sets no deadline and calls no store.
 */
export class BaselineVerifier {
  readonly #keys = new Map<string, { readonly tenantId: string; readonly digest: Buffer }>();

  /** @param secretOf the text whose digest is kept for a key, to make one with a wrong secret */
  constructor(texts: readonly string[], secretOf = (text: string): string => text) {
    for (const text of texts) {
      this.#keys.set(locatorOf(text), { tenantId: 'acme', digest: hmac(secretOf(text)) });
    }
  }

  // eslint-disable-next-line @typescript-eslint/require-await -- a verifier is asynchronous, since its store is
  async verify(text: string | undefined): Promise<string | undefined> {
    if (text === undefined || text.length < 32 || !hasValidChecksum(text)) return undefined;
    const underscore = text.indexOf('_');
    const record = this.#keys.get(text.slice(underscore + 1, underscore + 17));
    const matches = timingSafeEqual(hmac(text), record?.digest ?? NO_DIGEST);
    return matches ? record?.tenantId : undefined;
  }
}

function hmac(text: string): Buffer {
  return createHmac('sha256', PEPPER).update(text).digest();
}

function hasValidChecksum(text: string): boolean {
  let checksum = 0;
  for (const character of text.slice(-CHECKSUM_LENGTH)) checksum = checksum * BASE62.length + BASE62.indexOf(character);
  return crc32(text.slice(0, -CHECKSUM_LENGTH)) === checksum;
}
