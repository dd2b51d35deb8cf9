import { scriptName } from '../../api-key/key-digest.js';
import type { SendCommand } from './redis-client.js';

/** A script, sent by its name. Redis forgets scripts when it starts anew: then the text is sent, which it keeps again. */
export class RedisScript {
  readonly #name: string;

  constructor(private readonly text: string) {
    this.#name = scriptName(text);
  }

  /** @param keys first the one that the names of all keys are made from, then those that are known beforehand */
  async run(send: SendCommand, keys: readonly [string, ...string[]], args: readonly string[]): Promise<unknown> {
    const rest = [String(keys.length), ...keys, ...args];
    try {
      return await send(['EVALSHA', this.#name, ...rest], keys[0]);
    } catch (error) {
      // Redis looks the script up before it runs anything, so nothing was done.
      if (!(error instanceof Error) || !error.message.startsWith('NOSCRIPT')) throw error;
      return await send(['EVAL', this.text, ...rest], keys[0]);
    }
  }
}
