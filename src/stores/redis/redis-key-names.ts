import type { ApiKeyRecord } from '../../api-key/api-key-record.js';
import { KeyfenceConfigurationError } from '../../errors/configuration.error.js';

/** Visible ASCII, with what Redis Cluster hashes instead of the whole name: text in the first pair of braces. */
const PREFIX = /^(?=[!-~]{3,100}$)[^{]*\{[^}]+\}/;

/** The largest time of a Date: added, it makes every time positive. */
const LARGEST_TIME = 8_640_000_000_000_000n;
const TIME_DIGITS = 17;

/** How the keys in Redis are named; the scripts name them in the same way. */
export class RedisKeyNames {
  /** The sorted set of when keys end, by locator. */
  readonly ends: string;

  /** @throws KeyfenceConfigurationError */
  constructor(private readonly prefix: string) {
    if (typeof prefix !== 'string' || !PREFIX.test(prefix)) {
      throw new KeyfenceConfigurationError(
        'RedisApiKeyStore: keyPrefix',
        `is '${prefix}'`,
        "Give up to 100 visible ASCII characters with a hash tag, such as '{keyfence}:'.",
      );
    }
    this.ends = `${prefix}ends`;
  }

  record(locator: string): string {
    return `${this.prefix}key:${locator}`;
  }

  /** All keys that the record has a part in, but for the set of ends. */
  allOf({ locator, id, tenantId }: Pick<ApiKeyRecord, 'locator' | 'id' | 'tenantId'>): string[] {
    return [this.record(locator), `${this.prefix}id:${id}`, `${this.prefix}tenant:${tenantId}`];
  }
}

/** The place of a key among its tenant's: texts that sort as the times, and then the ids, do. */
export function placeOf({ createdAt, id }: Pick<ApiKeyRecord, 'createdAt' | 'id'>): string {
  return `${placeOfTime(createdAt)}:${id}`;
}

/** What all places of that time begin with, and what sorts between those of earlier times and them. */
export function placeOfTime(time: Date): string {
  return (BigInt(time.getTime()) + LARGEST_TIME).toString().padStart(TIME_DIGITS, '0');
}
