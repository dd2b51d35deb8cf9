import { fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const PROGRAM = fileURLToPath(new URL('attacker.mjs', import.meta.url));
const ANSWER_MS = 30_000;

/** The attacking process, as seen by its victim. */
export class AttackerProcess {
  #child;
  #waiting;
  #failure;
  /** As of the last heartbeat; the exact number once it was stopped. */
  swaps = 0;

  constructor() {
    this.#child = fork(PROGRAM, { execArgv: [] });
    this.#child.on('message', (message) => {
      this.swaps = message.swaps;
      this.#settle(message);
    });
    this.#child.on('exit', (code) => {
      this.#failure = new Error(`The attacker ended with code ${code}.`);
      this.#settle(undefined);
    });
  }

  /** Starts the swapping, and resolves when it goes on. */
  async start(attack) {
    this.swaps = 0;
    await this.#ask({ attack }, (message) => message.swaps > 0);
  }

  /** Stops the swapping, everything being back in its place. */
  async stop() {
    await this.#ask({ stop: true }, (message) => message.stopped === true);
  }

  /** Ends the process. */
  async end() {
    if (this.#child.exitCode !== null) return;
    const ended = new Promise((resolve) => this.#child.once('exit', resolve));
    this.#child.disconnect();
    await ended;
  }

  /** @throws if it is not alive: a race without an opponent proves nothing */
  assertAlive() {
    if (this.#failure !== undefined) throw this.#failure;
  }

  async #ask(message, isAnswer) {
    this.assertAlive();
    let timer;
    const answer = new Promise((resolve, reject) => {
      timer = setTimeout(() => reject(new Error(`The attacker did not answer in ${ANSWER_MS} ms.`)), ANSWER_MS);
      this.#waiting = { isAnswer, resolve, reject };
    });
    this.#child.send(message);
    try {
      await answer;
    } finally {
      clearTimeout(timer);
      this.#waiting = undefined;
    }
  }

  #settle(message) {
    if (message === undefined) this.#waiting?.reject(this.#failure);
    else if (this.#waiting?.isAnswer(message)) this.#waiting.resolve();
  }
}
