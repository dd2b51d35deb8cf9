import { spawnSync } from 'node:child_process';
import { ROOT } from './package-files.js';

export interface Outcome {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a piece of JavaScript in a Node of its own, without this suite's module loader and flags. */
export function runNode(type: 'module' | 'commonjs', code: string): Outcome {
  const env = { ...process.env };
  delete env.NODE_OPTIONS;
  const { status, stdout, stderr } = spawnSync(process.execPath, [`--input-type=${type}`, '--eval', code], {
    cwd: ROOT,
    encoding: 'utf8',
    env,
  });
  return { status, stdout: stdout.trim(), stderr: stderr.trim() };
}
