/** Milliseconds, or a whole number with a unit: `'500ms'`, `'30s'`, `'5m'`, `'24h'`, `'90d'`. */
export type Duration = number | string;

/** How a duration must look, for messages. */
export const DURATION_RULE = "a duration is milliseconds, or text such as '500ms', '30s', '5m', '24h' or '90d'";

const DURATION = /^(\d{1,9})(ms|s|m|h|d)$/;
const UNITS: Readonly<Record<string, number>> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 };
/** A hundred years: beyond it, a sum with the time of day is no date any more sooner than anybody means. */
const MAX_MS = 36_525 * 86_400_000;

/** Milliseconds, or `undefined` for what is no duration. */
export function parseDuration(value: unknown): number | undefined {
  const [, count, unit = ''] = typeof value === 'string' ? (DURATION.exec(value) ?? []) : [];
  const milliseconds = typeof value === 'number' ? value : Number(count ?? NaN) * (UNITS[unit] ?? NaN);
  return Number.isInteger(milliseconds) && milliseconds >= 0 && milliseconds <= MAX_MS ? milliseconds : undefined;
}
