import { describe, expect, it } from '@jest/globals';
import type { ManagedApiKeyStore } from '../../src/api-key/api-key.store.js';
import { apiKeyStoreContract } from '../../src/testing/api-key-store-contract.js';
import { BATCH_MUTANTS } from './mutants/batch-mutants.js';
import { CHANGING_MUTANTS } from './mutants/changing-mutants.js';
import { FINDING_MUTANTS } from './mutants/finding-mutants.js';
import { ATOMIC_IN_ONE_PROCESS, RACING_MUTANTS } from './mutants/racing-mutants.js';
import { RowStore } from './mutants/row-store.js';

const MUTANTS = [...FINDING_MUTANTS, ...CHANGING_MUTANTS, ...BATCH_MUTANTS, ...RACING_MUTANTS];
const NAMES = apiKeyStoreContract({ open: () => new RowStore() }).map(({ name }) => name);

function namesWith(part: string): string[] {
  return NAMES.filter((name) => name.includes(part));
}

describe.each(MUTANTS)('a store that $store', ({ failsAt, make, makeAnother }) => {
  const cases = apiKeyStoreContract({ open: make, openAnother: makeAnother });

  it.each(failsAt)('fails at "%s"', async (part) => {
    const [found, ...more] = cases.filter(({ name }) => name.includes(part));
    expect(more).toEqual([]);
    // Not by a mistake of the case or of the mutant.
    await expect(found?.run()).rejects.toMatchObject({ name: expect.stringMatching(/^(?:Assertion|Mutant)Error$/) });
  });
});

describe.each([
  ['a right store', { open: () => new RowStore() }],
  ['a right store of two instances', { open: () => new RowStore(), openAnother: sameRows }],
  ['a store that is right in one process, examined in one', { open: ATOMIC_IN_ONE_PROCESS }],
])('%s (control)', (_what, subject) => {
  for (const { name, run } of apiKeyStoreContract(subject)) it(name, run);
});

function sameRows({ rows }: RowStore): RowStore {
  return new RowStore(rows);
}

describe('the contract', () => {
  it('has no case that no mutant fails at', () => {
    const covered = MUTANTS.flatMap(({ failsAt }) => failsAt.flatMap(namesWith));
    expect(NAMES.filter((name) => !covered.includes(name))).toEqual([]);
  });

  it('names every case once', () => {
    expect(new Set(NAMES).size).toBe(NAMES.length);
  });

  it('opens a store of its own for each case, and closes all that it opened, also after a failure', async () => {
    const open: ManagedApiKeyStore[] = [];
    const opened: ManagedApiKeyStore[] = [];
    const started = <S extends ManagedApiKeyStore>(store: S): S => {
      open.push(store);
      opened.push(store);
      return store;
    };
    const cases = apiKeyStoreContract({
      open: () => Promise.resolve(started(new RowStore())),
      openAnother: (store) => started(sameRows(store)),
      close: (store) => {
        // The one that was opened last is closed first.
        expect(open.pop()).toBe(store);
        return Promise.resolve();
      },
    });
    for (const { run } of cases.slice(0, 3)) await run();
    expect(opened).toHaveLength(6);
    expect(new Set(opened).size).toBe(6);
    expect(open).toEqual([]);
    const [failing] = apiKeyStoreContract({
      open: () => started(new RowStore()),
      openAnother: () => Promise.reject(new Error('there is no other')),
      close: () => open.pop(),
    });
    await expect(failing?.run()).rejects.toThrow('there is no other');
    expect(opened).toHaveLength(7);
    expect(open).toEqual([]);
  });
});
