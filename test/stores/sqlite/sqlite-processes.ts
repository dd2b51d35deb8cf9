import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

/** What a process says that it has done, when it is done. */
export type Said =
  | { readonly did: 'ready' | 'finished' }
  | { readonly did: 'rotated'; readonly id: string; readonly to: string }
  | { readonly did: 'used'; readonly id: string; readonly at: number }
  | { readonly did: 'revoked'; readonly id: string };

const ROOT = fileURLToPath(new URL('../../..', import.meta.url));

/** The program of sqlite-program.ts as one file that a plain Node runs, next to the packages. */
export class SqliteProgram {
  readonly #folder = mkdtempSync(join(tmpdir(), 'keyfence-sqlite-program-'));
  readonly #file = join(this.#folder, 'program.mjs');
  readonly #children: ChildProcess[] = [];

  constructor() {
    symlinkSync(join(ROOT, 'node_modules'), join(this.#folder, 'node_modules'));
    const options = ['--bundle', '--platform=node', '--format=esm', '--packages=external', '--log-level=warning'];
    const source = join(ROOT, 'test/stores/sqlite/sqlite-program.ts');
    execFileSync(join(ROOT, 'node_modules/.bin/esbuild'), [source, ...options, `--outfile=${this.#file}`]);
  }

  /** Resolves when the process waits to be told to begin. */
  async start(...parameters: readonly string[]): Promise<SqliteProcess> {
    const child = spawn(process.execPath, ['--no-warnings', this.#file, ...parameters], {
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    this.#children.push(child);
    const started = new SqliteProcess(child);
    await started.until(({ did }) => did === 'ready');
    return started;
  }

  remove(): void {
    for (const child of this.#children) child.kill('SIGKILL');
    rmSync(this.#folder, { recursive: true });
  }
}

export class SqliteProcess {
  readonly said: Said[] = [];
  readonly #child: ChildProcess;
  readonly #closed: Promise<unknown>;
  #onLine: () => void = () => undefined;
  #ended = false;

  constructor(child: ChildProcess) {
    this.#child = child;
    this.#closed = once(child, 'close').then(() => {
      this.#ended = true;
      this.#onLine();
    });
    if (child.stdout === null) throw new Error('no output');
    createInterface(child.stdout).on('line', (line) => {
      this.said.push(JSON.parse(line) as Said);
      this.#onLine();
    });
  }

  begin(): void {
    this.#child.stdin?.write('begin\n');
  }

  /** Resolves when something was said for which `test` holds; rejects if the process ended without saying it. */
  until(test: (said: Said) => boolean): Promise<void> {
    return new Promise((resolve, reject) => {
      let seen = 0;
      this.#onLine = () => {
        for (; seen < this.said.length; seen += 1) {
          const said = this.said[seen];
          if (said !== undefined && test(said)) resolve();
        }
        if (this.#ended) reject(new Error('The process ended.'));
      };
      this.#onLine();
    });
  }

  /** Resolves when it has said that it finished as many times. */
  untilFinished(times: number): Promise<void> {
    let left = times;
    return this.until(({ did }) => did === 'finished' && (left -= 1) === 0);
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
