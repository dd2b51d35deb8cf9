import { connect, type Socket } from 'node:net';
import { answerParent } from './child.js';
import { isComplete } from './http-load.js';
import { quantile } from './measure.js';

/**
 * Sends requests to a server, in a process of its own: `node paced-client.js <port> <connections>`; first the keys are told.
 * At a rate, requests are due at fixed times whatever the server does, and a latency counts from the time when a request was
 * due: one that waits for a free connection waits already. Without a rate every connection sends as fast as it is answered.
 */
export interface PacedQuestion {
  /** Requests a second; `undefined`: as fast as it goes. */
  readonly rate?: number;
  readonly milliseconds: number;
  readonly status: number;
}

export interface PacedAnswer {
  readonly perSecond: number;
  /** Microseconds. */
  readonly p50: number;
  readonly p99: number;
}

const [port = '', connections = ''] = process.argv.slice(2);
let requests: readonly string[] = [];
let next = 0;

class Connection {
  #received = '';
  #done: ((status: string) => void) | undefined;

  constructor(private readonly socket: Socket) {
    socket.on('close', () => {
      throw new Error('The server closed a connection.');
    });
    socket.on('data', (chunk) => {
      this.#received += chunk.toString('latin1');
      if (!isComplete(this.#received)) return;
      const status = this.#received.slice('HTTP/1.1 '.length, 'HTTP/1.1 200'.length);
      this.#received = '';
      this.#done?.(status);
    });
  }

  static async open(): Promise<Connection> {
    const socket = connect({ port: Number(port), host: '127.0.0.1', noDelay: true });
    await new Promise((resolve, reject) => socket.once('connect', resolve).once('error', reject));
    return new Connection(socket);
  }

  send(request: string, done: (status: string) => void): void {
    this.#done = done;
    this.socket.write(request);
  }
}

const pool = await Promise.all(Array.from({ length: Number(connections) }, () => Connection.open()));

answerParent('ready', (question) => {
  if (!Array.isArray(question)) return run(question as PacedQuestion);
  requests = (question as readonly string[]).map(requestWith);
  return Promise.resolve('ready');
});

function requestWith(key: string): string {
  return `GET /files/17 HTTP/1.1\r\nHost: localhost\r\nAccept: application/json\r\nX-Api-Key: ${key}\r\n\r\n`;
}

function run({ rate, milliseconds, status }: PacedQuestion): Promise<PacedAnswer> {
  return new Promise((resolve, reject) => {
    const idle = [...pool];
    const waiting: number[] = [];
    const latencies: number[] = [];
    const start = performance.now();
    const end = start + milliseconds;
    let due = 0;

    const finish = (): void => {
      clearInterval(timer);
      resolve({
        perSecond: latencies.length / ((performance.now() - start) / 1_000),
        p50: quantile(latencies, 0.5) * 1_000,
        p99: quantile(latencies, 0.99) * 1_000,
      });
    };
    const pump = (): void => {
      const now = performance.now();
      if (now < end) {
        if (rate === undefined) waiting.push(...idle.map(() => now));
        else for (; start + (due * 1_000) / rate <= now; due += 1) waiting.push(start + (due * 1_000) / rate);
      } else if (idle.length === pool.length && waiting.length === 0) {
        finish();
        return;
      }
      while (waiting.length > 0) {
        const connection = idle.pop();
        if (connection === undefined) return;
        ask(connection, waiting.shift() ?? now);
      }
    };
    const ask = (connection: Connection, dueAt: number): void => {
      connection.send(requests[(next += 1) % requests.length] ?? '', (answered) => {
        latencies.push(performance.now() - dueAt);
        idle.push(connection);
        if (answered !== String(status)) reject(new Error(`The server answers ${answered} instead of ${status}.`));
        pump();
      });
    };
    // A timer of Node has a resolution of a millisecond.
    const timer = setInterval(pump, 1);
    pump();
  });
}
