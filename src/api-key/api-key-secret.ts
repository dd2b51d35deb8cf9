const MASK = '[ApiKeySecret]';

/**
 * The text of a new key. It exists once, in the answer to `issue()`, and is masked wherever it is printed: as a string, in
 * JSON, in a template, by `console.log`. Only {@link reveal} gives the text.
 */
export class ApiKeySecret {
  readonly #text: string;

  constructor(text: string) {
    this.#text = text;
  }

  /** The key itself. Show it once, to its holder; it is not stored and cannot be shown again. */
  reveal(): string {
    return this.#text;
  }

  toString(): string {
    return MASK;
  }

  toJSON(): string {
    return MASK;
  }

  /** Asked before all others where a value is wanted as text or as a number. */
  [Symbol.toPrimitive](): string {
    return MASK;
  }

  [Symbol.for('nodejs.util.inspect.custom')](): string {
    return MASK;
  }
}
