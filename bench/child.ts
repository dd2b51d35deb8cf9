import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

/** A module of this folder in a process of its own, that answers one question at a time. */
export class Child {
  readonly #process: ChildProcess;

  private constructor(process: ChildProcess) {
    this.#process = process;
  }

  /** Returns when the child says that it is ready, with what it says. */
  static async start(
    module: string,
    args: readonly string[],
  ): Promise<{ readonly child: Child; readonly ready: unknown }> {
    const forked = fork(fileURLToPath(new URL(module, import.meta.url)), args, {
      env: { ...process.env, NODE_ENV: 'production' },
    });
    const child = new Child(forked);
    return { child, ready: await child.#answer() };
  }

  ask(question: unknown): Promise<unknown> {
    const answer = this.#answer();
    this.#process.send(question as object);
    return answer;
  }

  async stop(): Promise<void> {
    if (this.#process.exitCode !== null) return;
    const exited = once(this.#process, 'exit');
    this.#process.disconnect();
    await exited;
  }

  #answer(): Promise<unknown> {
    return new Promise((resolve, reject) => {
      const settle = (act: () => void) => {
        this.#process.off('message', onMessage).off('exit', onExit);
        act();
      };
      const onMessage = (message: unknown) => {
        settle(() => {
          resolve(message);
        });
      };
      const onExit = (code: number | null) => {
        settle(() => {
          reject(new Error(`${this.#process.spawnargs.slice(1).join(' ')} ended with code ${code ?? 'none'}.`));
        });
      };
      this.#process.on('message', onMessage).on('exit', onExit);
    });
  }
}

/** The other side, in the child: says that it is ready, then answers until the parent lets go. */
export function answerParent(ready: unknown, answer: (question: unknown) => Promise<unknown>): void {
  process.on('message', (question) => {
    void answer(question).then((reply) => process.send?.(reply));
  });
  process.once('disconnect', () => {
    process.exit();
  });
  process.send?.(ready);
}
