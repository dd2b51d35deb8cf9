import { connect, type Socket } from 'node:net';

const REQUEST = 'GET / HTTP/1.1\r\nHost: localhost\r\n\r\n';
const HEAD_END = '\r\n\r\n';

/** Some keep-alive connections that ask the same question again and again; it costs the client little. */
export class HttpLoad {
  private constructor(private readonly sockets: readonly Socket[]) {}

  static async open(port: number, connections: number): Promise<HttpLoad> {
    const sockets = Array.from({ length: connections }, () => connect({ port, host: '127.0.0.1', noDelay: true }));
    await Promise.all(sockets.map((socket) => new Promise((resolve) => socket.once('connect', resolve))));
    return new HttpLoad(sockets);
  }

  /** Sends this many requests, each connection one after the other. */
  async run(requests: number): Promise<void> {
    const share = Math.ceil(requests / this.sockets.length);
    await Promise.all(this.sockets.map((socket) => runOn(socket, share)));
  }

  close(): void {
    for (const socket of this.sockets) socket.destroy();
  }
}

function runOn(socket: Socket, requests: number): Promise<void> {
  return new Promise((resolve, reject) => {
    let left = requests;
    let received = '';
    const onData = (chunk: Buffer): void => {
      received += chunk.toString('latin1');
      if (!isComplete(received)) return;
      if (!received.startsWith('HTTP/1.1 200')) reject(new Error(`The server answers ${received.slice(0, 40)}`));
      received = '';
      left -= 1;
      if (left > 0) {
        socket.write(REQUEST);
      } else {
        socket.off('data', onData);
        resolve();
      }
    };
    socket.on('data', onData);
    socket.write(REQUEST);
  });
}

/** Every answer here tells its length. */
export function isComplete(response: string): boolean {
  const end = response.indexOf(HEAD_END);
  if (end === -1) return false;
  const length = Number(/content-length: (\d+)/i.exec(response)?.[1]);
  return response.length - end - HEAD_END.length >= length;
}
