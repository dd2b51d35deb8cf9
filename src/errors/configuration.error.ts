/**
 * A wrong option or a wrong call: a mistake of the developer, told to the developer. It stops the boot where it can, and
 * is never an answer to a caller (Nest answers 500 without its text).
 */
export class KeyfenceConfigurationError extends Error {
  override readonly name = 'KeyfenceConfigurationError';
  readonly code = 'invalid_configuration';

  /**
   * @param option what was wrong, such as `apiKey.prefix`
   * @param problem what was found there
   * @param cure what to write instead
   */
  constructor(
    readonly option: string,
    problem: string,
    cure: string,
  ) {
    super(`Keyfence: ${option} ${problem}. ${cure}`);
  }
}
