import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';

/** Stands between a client and a server, and can fall silent as a peer does whose machine or network is gone. */
export class TcpProxy implements AsyncDisposable {
  readonly #sockets = new Set<Socket>();
  #silent = false;
  readonly #server = createServer((client) => {
    const upstream = connect(this.target, '127.0.0.1');
    for (const [from, to] of [
      [client, upstream],
      [upstream, client],
    ] as const) {
      this.#sockets.add(from);
      from.on('data', (data) => {
        if (!this.#silent) to.write(data);
      });
      from.on('error', () => undefined);
      from.on('close', () => {
        this.#sockets.delete(from);
        to.destroy();
      });
    }
  });

  private constructor(private readonly target: number) {}

  static async open(target: number): Promise<TcpProxy> {
    const proxy = new TcpProxy(target);
    await once(proxy.#server.listen(0, '127.0.0.1'), 'listening');
    return proxy;
  }

  get port(): number {
    const address = this.#server.address();
    if (address === null || typeof address === 'string') throw new Error('not a TCP server');
    return address.port;
  }

  /** Drops every byte from now on, in both directions, and closes nothing. */
  fallSilent(): void {
    this.#silent = true;
  }

  /** Connections made from now on work; the old ones stay lost. */
  recover(): void {
    for (const socket of this.#sockets) socket.removeAllListeners('data').resume();
    this.#silent = false;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    await once(this.#server.close(), 'close');
  }
}
