import type { ManagedApiKeyStore } from '../../api-key/api-key.store.js';

/** The store that {@link apiKeyStoreContract} is to examine. */
export interface ApiKeyStoreSubject<S extends ManagedApiKeyStore = ManagedApiKeyStore> {
  /** A store that holds no keys. Called once for each case. */
  open(): S | Promise<S>;
  /**
   * Another instance on the same keys, as a second process would have: with a connection of its own. The cases about
   * concurrency use both.
   * @default the same instance
   */
  openAnother?(store: S): S | Promise<S>;
  /** Closes what the other two opened, after each case. */
  close?(store: S): unknown;
}

/** One behaviour of a store, to hand to a test runner: `test(name, run)`. */
export interface ContractCase {
  /** Says what a store must do. */
  readonly name: string;
  /** Rejects with an `AssertionError` if the store does not do it, or with what the store threw. */
  readonly run: () => Promise<void>;
}

/** What a case works with: two instances on the same keys, which may be one and the same. */
export interface Instances {
  readonly store: ManagedApiKeyStore;
  readonly other: ManagedApiKeyStore;
}

/** Cases by name. */
export type Cases = Readonly<Record<string, (instances: Instances) => Promise<void>>>;

/** Makes a case that has the stores opened before it and closed after it. */
export function contractCase<S extends ManagedApiKeyStore>(
  name: string,
  examine: (instances: Instances) => Promise<void>,
  subject: ApiKeyStoreSubject<S>,
): ContractCase {
  const run = async (): Promise<void> => {
    const opened: S[] = [];
    try {
      const store = await subject.open();
      opened.push(store);
      const other = (await subject.openAnother?.(store)) ?? store;
      if (other !== store) opened.push(other);
      await examine({ store, other });
    } finally {
      for (const store of opened.reverse()) await subject.close?.(store);
    }
  };
  return { name, run };
}
