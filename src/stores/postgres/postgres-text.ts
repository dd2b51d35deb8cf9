/** False for a text that PostgreSQL cannot hold, so that no record has it: one with a NUL or half a surrogate pair. */
export function isStorable(text: string): boolean {
  return !text.includes('\0') && text.isWellFormed();
}
