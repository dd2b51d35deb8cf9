import type { ConfinedDirectory } from '../../src/confined-fs/confined-directory.js';
import type { RootCache } from '../../src/confined-fs/root-cache.js';
import type { selectEngine } from '../../src/confined-fs/select-engine.js';

/** Which component of the path is swapped with a symbolic link to its counterpart outside. */
export type Swap = 'middle' | 'parent' | 'final';
export const SWAPS: readonly Swap[];

/** The attacking process. Its members other than these are the harness's own. */
export class AttackerProcess {
  end(): Promise<void>;
}

/** Who is attacked. */
export interface Subject {
  readonly name: string;
  readonly kind: 'race-proof' | 'best-effort' | 'control';
}
export const NAIVE: Subject;

export interface Library {
  readonly ConfinedDirectory: typeof ConfinedDirectory;
  readonly RootCache: typeof RootCache;
  readonly selectEngine: typeof selectEngine;
}
/** The engines that work on this machine, and why the others (`name: reason`) do not. */
export function engineSubjects(
  library: Library,
): Promise<{ readonly subjects: readonly Subject[]; readonly missing: readonly string[] }>;

export interface RaceOptions {
  readonly attacker: AttackerProcess;
  readonly subject: Subject;
  readonly swap: Swap;
  /** At least so many; up to fifty times as many until enough of them succeeded. */
  readonly attempts: number;
  readonly onProgress?: (result: RaceResult) => void;
}

export interface RaceResult {
  readonly engine: string;
  readonly kind: Subject['kind'];
  readonly swap: Swap;
  readonly verb: 'read' | 'write';
  readonly attempts: number;
  readonly successes: number;
  /** Successes that are required. */
  readonly minimum: number;
  /** How often each error code was answered. */
  readonly refusals: Readonly<Record<string, number>>;
  /** Reads that gave bytes from outside; files outside that were made or changed. */
  readonly escapes: number;
  /** Descriptors that stayed open. */
  readonly leaked: number;
  readonly temporaryFiles: number;
  /** Writes that succeeded and are not there, or were refused and are. */
  readonly misplaced: number;
  /** What the attacker did meanwhile. */
  readonly swaps: number;
}

export function raceReads(options: RaceOptions): Promise<RaceResult>;
export function raceWrites(options: RaceOptions): Promise<RaceResult>;
/** What is wrong with an outcome, in words; empty if nothing is. */
export function problemsOf(result: RaceResult): string[];
