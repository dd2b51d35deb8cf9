import type { RowStore } from './row-store.js';

/** What a broken store throws by itself. */
export class MutantError extends Error {
  override readonly name = 'MutantError';
}

/** A store that is broken in one way. */
export interface Mutant {
  /** What it does wrong: "a store that ...". */
  readonly store: string;
  /** Parts of the names of the cases that must fail on it. */
  readonly failsAt: readonly string[];
  readonly make: () => RowStore;
  readonly makeAnother?: (store: RowStore) => RowStore;
}
