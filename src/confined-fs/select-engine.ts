import { closeSync, fstatSync, openSync } from 'node:fs';
import { getSystemErrorName } from 'node:util';
import { KeyfenceConfigurationError } from '../errors/configuration.error.js';
import type { Engine, EngineName } from './engine.js';
import { Openat2Engine } from './openat2-engine.js';
import { loadOpenat2, O_CLOEXEC, RESOLVE_CONFINED, type Openat2 } from './openat2.js';
import { IDENTIFY_DIRECTORY_FLAGS } from './open-flags.js';
import { PortableEngine } from './portable-engine.js';
import { ProcfsEngine } from './procfs-engine.js';

export interface EngineChoice {
  readonly engine: Engine;
  /** What would make it better, for the boot log. */
  readonly hint?: string;
}

/**
 * Chooses how tenants' files are confined on this machine, once, at boot, by a harmless probe. A refusal of a real
 * request is never taken for a missing feature: a sandbox that answers EPERM would otherwise turn the protection off.
 * @throws KeyfenceConfigurationError if the engine asked for does not work here; `auto` never falls back to `portable`
 *   on Linux
 */
export async function selectEngine(wanted: EngineName | 'auto'): Promise<EngineChoice> {
  if (wanted === 'portable' || (wanted === 'auto' && process.platform !== 'linux')) {
    return { engine: new PortableEngine() };
  }
  const openat2Problem = wanted === 'procfs' ? undefined : await tryOpenat2();
  if (typeof openat2Problem === 'object') return openat2Problem;
  const procfsProblem = wanted === 'openat2' ? undefined : probeProcfs();
  if (wanted !== 'openat2' && procfsProblem === undefined) {
    return { engine: new ProcfsEngine(), hint: openat2Problem };
  }
  const problems = [openat2Problem, procfsProblem].filter((problem) => problem !== undefined);
  throw new KeyfenceConfigurationError(
    'files.engine',
    `is '${wanted}', which does not work here: ${problems.join('; ')}`,
    "Mend that, or choose another of 'auto', 'openat2', 'procfs' and 'portable' (which is best-effort).",
  );
}

async function tryOpenat2(): Promise<EngineChoice | string> {
  const openat2 = await loadOpenat2();
  if (typeof openat2 === 'string') return openat2;
  const problem = probeOpenat2(openat2) ?? probeProcfs();
  return problem ?? { engine: new Openat2Engine(openat2) };
}

/** Opens the root directory below itself: nothing but a missing system call or a filter can refuse that. */
function probeOpenat2(openat2: Openat2): string | undefined {
  const root = openSync('/', IDENTIFY_DIRECTORY_FLAGS);
  try {
    const result = openat2(root, '.', IDENTIFY_DIRECTORY_FLAGS | O_CLOEXEC, RESOLVE_CONFINED);
    if (result < 0) return `the kernel or its seccomp filter refuses openat2 (${getSystemErrorName(result)})`;
    closeSync(result);
    return undefined;
  } finally {
    closeSync(root);
  }
}

/** Reopens an open directory through /proc, and requires that it is the same one. */
function probeProcfs(): string | undefined {
  if (process.platform !== 'linux') return `there is no /proc/self/fd on ${process.platform}`;
  const root = openSync('/', IDENTIFY_DIRECTORY_FLAGS);
  try {
    const again = openSync(`/proc/self/fd/${root}/.`, IDENTIFY_DIRECTORY_FLAGS);
    const same = fstatSync(again).ino === fstatSync(root).ino;
    const counted = new ProcfsEngine().mountIdOf(again) !== undefined;
    closeSync(again);
    return same && counted ? undefined : '/proc does not show the open files of this process';
  } catch {
    return '/proc is not mounted';
  } finally {
    closeSync(root);
  }
}
