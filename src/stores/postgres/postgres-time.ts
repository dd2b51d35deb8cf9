/**
 * A Date as PostgreSQL reads it, whatever the time zone of either side. Not `toISOString`, whose years beyond 9999 and
 * before 0 PostgreSQL does not read; it holds none before 4713 BC.
 */
export function toTimestamp(date: Date): string {
  const year = date.getUTCFullYear();
  const [day = '', time = ''] = date
    .toISOString()
    .replace(/^[+-]?\d+-/, '')
    .replace('Z', '')
    .split('T');
  const era = year > 0 ? '' : ' BC';
  return `${String(year > 0 ? year : 1 - year).padStart(4, '0')}-${day} ${time}+00${era}`;
}

/**
 * Milliseconds since the epoch as text. The driver's own dates depend on what parsers the application has set for it.
 * What is no Date, such as `infinity`, becomes a text that is no number.
 */
export function selectTime(expression: string): string {
  return `round(extract(epoch from ${expression}) * 1000)::text`;
}

/** Reads {@link selectTime}; an invalid Date, which verification refuses, for anything else. */
export function fromTime(value: unknown): Date {
  return new Date(typeof value === 'string' && value !== '' ? Number(value) : NaN);
}
