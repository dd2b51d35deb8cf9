import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { createInterface } from 'node:readline';
import { buildSync } from 'esbuild';

const ROOT = fileURLToPath(new URL('../../..', import.meta.url));
const PROGRAM = buildSync({
  entryPoints: [fileURLToPath(new URL('store-program.ts', import.meta.url))],
  bundle: true,
  write: false,
  format: 'esm',
  platform: 'node',
  target: 'node20',
  packages: 'external',
  tsconfigRaw: { compilerOptions: { experimentalDecorators: true } },
}).outputFiles[0]?.text;

/** A process that runs `store-program.ts`. */
export class StoreProcess {
  /** What it said, each a line of JSON. */
  readonly said: unknown[] = [];
  #errors = '';
  readonly #child: ChildProcess;
  readonly #ended: Promise<unknown>;

  constructor(...args: readonly string[]) {
    this.#child = spawn(process.execPath, ['--input-type=module', '--eval', PROGRAM ?? '', '--', ...args], {
      cwd: ROOT,
      stdio: ['pipe', 'pipe', 'pipe'],
    });
    const { stdout, stderr } = this.#child;
    if (stdout === null || stderr === null) throw new Error('The process has no output.');
    const lines = createInterface({ input: stdout });
    lines.on('line', (line) => {
      // The last line of a process that was killed may be cut.
      if (line.endsWith('}') || line.endsWith('"') || line.endsWith(']')) this.said.push(JSON.parse(line));
    });
    stderr.on('data', (data: Buffer) => (this.#errors += data.toString()));
    this.#ended = Promise.all([once(this.#child, 'exit'), once(lines, 'close')]);
  }

  go(): void {
    this.#child.stdin?.write('go\n');
  }

  /** Its exit code; `null` if a signal ended it. */
  async ended(): Promise<number | null> {
    await this.#ended;
    return this.#child.exitCode;
  }

  async kill(): Promise<void> {
    this.#child.kill('SIGKILL');
    await this.#ended;
  }

  errors(): string {
    return this.#errors;
  }
}
