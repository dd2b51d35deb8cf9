import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chownSync, closeSync, mkdtempSync, openSync, readFileSync } from 'node:fs';
import { createServer, Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

/** `kill` is SIGKILL, what a crash looks like; `orderly` lets the server finish. */
export type StopMode = 'orderly' | 'kill';

/** An unprivileged user, for a server that refuses to run as root. */
export interface ProcessUser {
  readonly uid: number;
  readonly gid: number;
}

export interface ServerCommand {
  readonly file: string;
  readonly args: readonly string[];
  readonly user?: ProcessUser;
  /** The signal that makes it end in good order. */
  readonly orderly: NodeJS.Signals;
  /** Resolves once it answers; a rejection means "not yet". */
  readonly answers: () => Promise<unknown>;
}

const START_TIMEOUT = 30_000;

// Jest ends a worker without its exit handlers, and a suite can be killed. The watchdog sees its standard input close when the
// owner is gone, however it went: it ends the last process it was told of and removes the directory.
const WATCHDOG =
  'last=; while read -r line; do last=$line; done; if [ -n "$last" ]; then kill -9 "$last"; sleep 0.3; fi; rm -rf "$1"';

/** A directory of its own directly under the temporary directory, so that another user can reach it. */
export class ServerDirectory {
  readonly path: string;
  readonly #watchdog: ChildProcess;

  constructor(name: string, owner?: ProcessUser) {
    this.path = mkdtempSync(join(tmpdir(), `keyfence-${name}-`));
    if (owner) chownSync(this.path, owner.uid, owner.gid);
    this.#watchdog = spawn('sh', ['-c', WATCHDOG, 'sh', this.path], {
      stdio: ['pipe', 'ignore', 'ignore'],
      // Ctrl-C reaches a whole process group: the watchdog has to outlive it.
      detached: true,
    });
    // Neither the watchdog nor its pipe may keep the owner alive.
    this.#watchdog.unref();
    if (this.#watchdog.stdin instanceof Socket) this.#watchdog.stdin.unref();
  }

  watch(pid: number | undefined): void {
    this.#watchdog.stdin?.write(`${pid ?? ''}\n`);
  }

  async remove(): Promise<void> {
    if (this.#watchdog.exitCode !== null) return;
    const gone = once(this.#watchdog, 'exit');
    this.#watchdog.ref();
    this.#watchdog.stdin?.end();
    await gone;
  }
}

/** One server process that can be stopped or killed and started again. */
export class TestProcess {
  readonly #directory: ServerDirectory;
  #command: ServerCommand;
  #child: ChildProcess | undefined;
  #gone: Promise<void> = Promise.resolve();

  constructor(directory: ServerDirectory, command: ServerCommand) {
    this.#directory = directory;
    this.#command = command;
  }

  get pid(): number | undefined {
    return this.#child?.pid;
  }

  async start(command = this.#command): Promise<void> {
    if (this.#child) throw new Error(`${command.file} is already running`);
    this.#command = command;
    const deadline = Date.now() + START_TIMEOUT;
    while (!(await this.#tryStart(deadline))) {
      if (Date.now() > deadline) throw new Error(`${command.file} did not start:\n${this.log()}`);
      // After a kill, what is left of the old process may hold the port or its shared memory for a moment.
      await sleep(50);
    }
  }

  async stop(mode: StopMode = 'orderly'): Promise<void> {
    const child = this.#child;
    if (!child) return;
    this.#child = undefined;
    child.ref();
    if (child.stdio[3] instanceof Socket) child.stdio[3].ref();
    if (isRunning(child)) child.kill(mode === 'kill' ? 'SIGKILL' : this.#command.orderly);
    await this.#gone;
    this.#directory.watch(undefined);
  }

  log(): string {
    return readFileSync(this.#logFile(), 'utf8').split('\n').slice(-20).join('\n');
  }

  async #tryStart(deadline: number): Promise<boolean> {
    const { file, args, user, answers } = this.#command;
    const output = openSync(this.#logFile(), 'a');
    const child = spawn(file, args, { ...user, cwd: this.#directory.path, stdio: ['ignore', output, output, 'pipe'] });
    closeSync(output);
    // PostgreSQL's sessions are processes of their own, which answer for a moment after the server was killed. They inherit this
    // pipe, so "close" comes only when the last of them is gone.
    const alive = child.stdio[3];
    if (alive instanceof Socket) alive.resume().unref();
    this.#gone = new Promise((resolve) => {
      child.once('close', () => {
        resolve();
      });
    });
    let failure: Error | undefined;
    child.once('error', (error) => (failure = error));
    child.unref();
    this.#directory.watch(child.pid);
    this.#child = child;
    while (isRunning(child) && failure === undefined && Date.now() < deadline) {
      const answered = await answers().then(
        () => true,
        () => false,
      );
      // Another server may answer on that port while ours is failing to take it.
      if (answered && isRunning(child)) return true;
      await sleep(10);
    }
    await this.stop('kill');
    if (failure) throw failure;
    return false;
  }

  #logFile(): string {
    return join(this.#directory.path, 'server.log');
  }
}

function isRunning(child: ChildProcess): boolean {
  return child.pid !== undefined && child.exitCode === null && child.signalCode === null;
}

/** Ports nobody listened on a moment ago, all different. */
export async function freePorts(count: number): Promise<number[]> {
  const servers = Array.from({ length: count }, () => createServer().listen(0, '127.0.0.1'));
  await Promise.all(servers.map((server) => once(server, 'listening')));
  const ports = servers.map((server) => {
    const address = server.address();
    if (address === null || typeof address === 'string') throw new Error('not a TCP server');
    return address.port;
  });
  await Promise.all(servers.map((server) => once(server.close(), 'close')));
  return ports;
}

export async function freePort(): Promise<number> {
  const [port] = await freePorts(1);
  if (port === undefined) throw new Error('no free port');
  return port;
}

/** Whom to run as instead of root; `undefined` if this process is not root. */
export function unprivilegedUser(): ProcessUser | undefined {
  if (process.getuid?.() !== 0) return undefined;
  const idOf = (flag: string) => Number(execFileSync('id', [flag, 'nobody'], { encoding: 'utf8' }));
  return { uid: idOf('-u'), gid: idOf('-g') };
}
