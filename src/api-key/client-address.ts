import type { ApiKeyOptions } from './api-key-options.js';

/** The caller's address as the option `clientAddress` gives it; `undefined` for whatever else that does. */
export function clientAddressOf(options: ApiKeyOptions, request: object): string | undefined {
  try {
    const address: unknown = options.clientAddress(request);
    // An asynchronous function is a mistake that denies; its rejection must not end the process.
    if (address instanceof Promise) address.catch(() => undefined);
    return typeof address === 'string' ? address : undefined;
  } catch {
    return undefined;
  }
}
