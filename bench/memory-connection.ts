import type { Server } from 'node:http';
import { Duplex } from 'node:stream';
import { isComplete } from './http-load.js';

/**
 * A keep-alive connection to an HTTP server of this process, with no socket in between: Node's own parser, request and
 * response, but none of the kernel's work, which costs more than what is measured here and varies more.
 * (Injected requests would not do: V8 keeps the objects that stand for them in another, slower form under Express.)
 */
export class MemoryConnection extends Duplex {
  #received = '';
  #done: (() => void) | undefined;

  constructor(server: Server) {
    super();
    server.emit('connection', this);
  }

  /** Sends one request and waits for the end of the response, whose status it gives. */
  async send(request: Buffer): Promise<number> {
    this.#received = '';
    await new Promise<void>((resolve) => {
      this.#done = resolve;
      this.push(request);
    });
    return Number(this.#received.slice('HTTP/1.1 '.length, 'HTTP/1.1 200'.length));
  }

  override _read(): void {
    // Bytes are pushed when there are any.
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, written: () => void): void {
    this.#received += chunk.toString('latin1');
    written();
    if (isComplete(this.#received)) this.#done?.();
  }
}
