import type { Mutant } from './mutant.js';
import { RowStore } from './row-store.js';

/** Reads, lets the others work, and writes what it read with its change. */
class ReadThenWrite extends RowStore {
  protected override gap = async (): Promise<void> => {
    for (let turn = 0; turn < 20; turn += 1) await Promise.resolve();
  };
}

/** The same, but one after the other: right in one process, and wrong in two. */
class OneAtATime extends ReadThenWrite {
  #last: Promise<unknown> = Promise.resolve();

  override insert(...given: Parameters<RowStore['insert']>): Promise<boolean> {
    return this.#next(() => super.insert(...given));
  }

  override revoke(...given: Parameters<RowStore['revoke']>): ReturnType<RowStore['revoke']> {
    return this.#next(() => super.revoke(...given));
  }

  override update(...given: Parameters<RowStore['update']>): Promise<boolean> {
    return this.#next(() => super.update(...given));
  }

  override rotate(...given: Parameters<RowStore['rotate']>): Promise<boolean> {
    return this.#next(() => super.rotate(...given));
  }

  override recordUses(...given: Parameters<RowStore['recordUses']>): Promise<void> {
    return this.#next(() => super.recordUses(...given));
  }

  override replaceDigests(...given: Parameters<RowStore['replaceDigests']>): Promise<void> {
    return this.#next(() => super.replaceDigests(...given));
  }

  override prune(...given: Parameters<RowStore['prune']>): Promise<number> {
    return this.#next(() => super.prune(...given));
  }

  #next<T>(act: () => Promise<T>): Promise<T> {
    const result = this.#last.then(act);
    this.#last = result.catch(() => undefined);
    return result;
  }
}

const RACES = [
  'at once: of many that insert one id',
  'at once: of many that insert one locator',
  'at once: of many that rotate one key',
  'at once: of many keys rotated to one new id',
  'at once: of many updates of one version',
  'at once: of many that revoke one key',
  'at once: a key that is updated while it is revoked',
  'at once: a key that is rotated while it is revoked',
  'at once: a key is updated or rotated',
  'at once: a revocation, a use and a new digest',
  'at once: an update, a use and a new digest',
  'at once: a rotation, a use and a new digest',
  'at once: of many uses of the same keys',
  'at once: several that prune',
];

/** Mutants that are right as long as nothing runs beside them. */
export const RACING_MUTANTS: readonly Mutant[] = [
  { store: 'writes what it read before', failsAt: RACES, make: () => new ReadThenWrite() },
  {
    store: 'is atomic in one process only',
    failsAt: RACES,
    make: () => new OneAtATime(),
    makeAnother: ({ rows }) => new OneAtATime(rows),
  },
];

/** The same without a second process: nothing is wrong with it. */
export const ATOMIC_IN_ONE_PROCESS = (): RowStore => new OneAtATime();
