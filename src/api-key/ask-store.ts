import { KeyStoreUnavailableException } from '../errors/key.exceptions.js';

/** Asks the store for something that a caller manages. @throws KeyStoreUnavailableException with what it threw as `cause` */
export async function askStore<T>(ask: () => Promise<T>): Promise<T> {
  try {
    return await ask();
  } catch (error) {
    throw new KeyStoreUnavailableException(error);
  }
}
