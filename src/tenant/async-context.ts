import { AsyncLocalStorage } from 'node:async_hooks';

/** The only home of async context. What it holds is the carrier of the call, so that it never knows more than that does. */

const STORAGE = Symbol.for('nestjs-keyfence:async-context');

/** One per process, also with two copies of the package. */
const holder = globalThis as { [STORAGE]?: AsyncLocalStorage<object> };
const storage = (holder[STORAGE] ??= new AsyncLocalStorage<object>());

/** Runs `run`, and all that it starts, with this carrier. */
export function runWithCarrier<T>(carrier: object, run: () => T): T {
  return storage.run(carrier, run);
}

/** The carrier of the call that is running, if one is. */
export function currentCarrier(): object | undefined {
  return storage.getStore();
}
