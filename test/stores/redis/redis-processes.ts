import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { until } from './records.js';

/** What a process says that it has done, when it is done. */
export type Said =
  | { readonly did: 'ready' | 'finished' }
  | { readonly did: 'rotated'; readonly id: string; readonly to: string }
  | { readonly did: 'refused' | 'revoked'; readonly id: string };

const ROOT = fileURLToPath(new URL('../../..', import.meta.url));

/** The program of redis-program.ts as one file that a plain Node runs, next to the packages. */
export class RedisProgram {
  readonly #folder = mkdtempSync(join(tmpdir(), 'keyfence-redis-program-'));
  readonly #file = join(this.#folder, 'program.mjs');
  readonly #children: ChildProcess[] = [];

  constructor() {
    symlinkSync(join(ROOT, 'node_modules'), join(this.#folder, 'node_modules'));
    const options = ['--bundle', '--platform=node', '--format=esm', '--packages=external', '--log-level=warning'];
    const source = join(ROOT, 'test/stores/redis/redis-program.ts');
    execFileSync(join(ROOT, 'node_modules/.bin/esbuild'), [source, ...options, `--outfile=${this.#file}`]);
  }

  /** Resolves when the process waits to be told to begin. */
  async start(...parameters: readonly string[]): Promise<RedisProcess> {
    const child = spawn(process.execPath, ['--no-warnings', this.#file, ...parameters], {
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    this.#children.push(child);
    const started = new RedisProcess(child);
    await started.until('it is ready', (said) => said.some(({ did }) => did === 'ready'));
    return started;
  }

  remove(): void {
    for (const child of this.#children) child.kill('SIGKILL');
    rmSync(this.#folder, { recursive: true });
  }
}

export class RedisProcess {
  readonly said: Said[] = [];
  readonly #child: ChildProcess;
  readonly #closed: Promise<unknown>;

  constructor(child: ChildProcess) {
    this.#child = child;
    this.#closed = once(child, 'close');
    if (child.stdout === null) throw new Error('no output');
    createInterface(child.stdout).on('line', (line) => this.said.push(JSON.parse(line) as Said));
  }

  begin(): void {
    this.#child.stdin?.write('begin\n');
  }

  async until(what: string, holds: (said: readonly Said[]) => boolean): Promise<void> {
    await until(what, () => {
      if (!holds(this.said) && this.#child.exitCode !== null) throw new Error(`The process ended before ${what}.`);
      return holds(this.said);
    });
  }

  /** Ends it as a crash does, and gives the signal that ended it; what it said before is all there then. */
  async kill(): Promise<string | null> {
    this.#child.kill('SIGKILL');
    await this.#closed;
    return this.#child.signalCode;
  }

  /** How it ended by itself. */
  async end(): Promise<number | null> {
    await this.#closed;
    return this.#child.exitCode;
  }
}
