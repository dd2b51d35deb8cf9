import { isKeyfenceException } from '../../src/errors/refusal.exception.js';

/** What a call came to: `ok`, the `errorCode` of a refusal, or the error itself, which no test expects. */
export async function outcomeOf(call: () => unknown): Promise<unknown> {
  try {
    await call();
    return 'ok';
  } catch (error) {
    return isKeyfenceException(error) ? error.errorCode : error;
  }
}

/** The refusal that a call must end with. */
export async function refusalOf(call: () => unknown): Promise<Error> {
  try {
    await call();
  } catch (error) {
    if (isKeyfenceException(error)) return error;
    throw error;
  }
  throw new Error('It was not refused.');
}
