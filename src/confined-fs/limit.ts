import { KeyfenceConfigurationError } from '../errors/configuration.error.js';

/**
 * A limit that was given, or none. What is no number must not count as no limit: `Number(process.env.UNSET)` is `NaN`.
 * @throws KeyfenceConfigurationError unless it is a whole number of at least 0, or left out
 */
export function parseLimit(name: string, limit: number | undefined): number {
  if (limit === undefined) return Infinity;
  if (Number.isSafeInteger(limit) && limit >= 0) return limit;
  throw new KeyfenceConfigurationError(name, `is ${limit}`, 'Give a whole number of at least 0, or leave it out.');
}
