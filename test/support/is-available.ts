import { spawnSync } from 'node:child_process';

/**
 * Whether a command can be run. If not, says loudly what was not tested; with `KEYFENCE_REQUIRE_ALL=1`, as in CI, it throws.
 */
export function isAvailable(command: string, purpose: string): boolean {
  if (spawnSync(command, ['--version']).error === undefined) return true;
  const message = `NOT TESTED: ${purpose}. The command "${command}" is not on this machine: install it.`;
  if (process.env.KEYFENCE_REQUIRE_ALL === '1') throw new Error(message);
  process.stderr.write(`\n*** ${message}\n`);
  return false;
}
