import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));

/** An example app that was started as a user would start it, on a free port. */
export class RunningExample {
  private constructor(
    private readonly child: ChildProcess,
    readonly lines: readonly string[],
  ) {}

  /**
   * Starts `examples/<name>` (built by `npm run build:examples`) and waits for its READY line.
   * @param data a directory of the test's own: the default one is for whoever plays with the example
   */
  static async start(name: string, data: string, env: Readonly<Record<string, string>> = {}): Promise<RunningExample> {
    const child = spawn(process.execPath, [`examples/dist/${name}/main.js`], {
      cwd: ROOT,
      env: { PATH: process.env.PATH, PORT: '0', NO_COLOR: '1', DATA_DIRECTORY: data, ...env },
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const lines: string[] = [];
    for await (const line of createInterface({ input: child.stdout })) {
      lines.push(line);
      if (line.startsWith('READY ')) return new RunningExample(child, lines);
    }
    throw new Error(`examples/${name} ended before it was ready:\n${lines.join('\n')}`);
  }

  get url(): string {
    return this.lines.at(-1)?.slice('READY '.length) ?? '';
  }

  /** The value of a shell assignment that it printed. */
  variable(name: string): string {
    return this.lines.find((line) => line.startsWith(`${name}=`))?.slice(name.length + 1) ?? '';
  }

  /** The lines to paste into a shell, each with the comment above it, which says what to expect. */
  get commands(): readonly { readonly expectation: string; readonly command: string }[] {
    return this.lines.flatMap((command, index) =>
      command.startsWith('curl ') ? [{ expectation: this.lines[index - 1] ?? '', command }] : [],
    );
  }

  request(path: string, init: RequestInit & { key?: string } = {}): Promise<Response> {
    const { key, ...rest } = init;
    const headers = new Headers(init.headers);
    if (key !== undefined) headers.set('x-api-key', key);
    return fetch(this.url + path, { ...rest, headers });
  }

  async stop(): Promise<void> {
    const ended = once(this.child, 'exit');
    this.child.kill('SIGTERM');
    await ended;
  }
}
