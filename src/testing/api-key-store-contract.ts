import type { ManagedApiKeyStore } from '../api-key/api-key.store.js';
import { CONCURRENCY_CASES } from './contract/concurrency-cases.js';
import { contractCase, type ApiKeyStoreSubject, type ContractCase } from './contract/contract-case.js';
import { DEFERRED_WRITE_CASES } from './contract/deferred-write-cases.js';
import { INSERT_CASES } from './contract/insert-cases.js';
import { LIST_CASES } from './contract/list-cases.js';
import { PRUNE_CASES } from './contract/prune-cases.js';
import { REVOKE_CASES } from './contract/revoke-cases.js';
import { ROTATE_CASES } from './contract/rotate-cases.js';
import { UPDATE_CASES } from './contract/update-cases.js';

const CASES = [
  INSERT_CASES,
  LIST_CASES,
  REVOKE_CASES,
  UPDATE_CASES,
  ROTATE_CASES,
  DEFERRED_WRITE_CASES,
  PRUNE_CASES,
  CONCURRENCY_CASES,
];

/**
 * What a {@link ManagedApiKeyStore} must do, one case for each behaviour, for any test runner. Each case opens a store that
 * must be empty and closes it. A store that passes does what the port says as far as examples can show it: that it survives
 * a crash, a lost connection or a full disk is not examined, nor how fast it is.
 *
 * @example
 * const open = () => MyStore.connect(freshDatabase());
 * for (const { name, run } of apiKeyStoreContract({ open, close: (store) => store.end() })) {
 *   test(name, run);
 * }
 */
export function apiKeyStoreContract<S extends ManagedApiKeyStore>(
  subject: ApiKeyStoreSubject<S>,
): readonly ContractCase[] {
  return CASES.flatMap((cases) => Object.entries(cases)).map(([name, examine]) => contractCase(name, examine, subject));
}
