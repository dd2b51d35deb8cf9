import { closeSync, createReadStream, fstatSync, read, readSync } from 'node:fs';
import { Readable } from 'node:stream';
import { promisify } from 'node:util';
import { FileTooLargeException, RangeNotSatisfiableException } from '../errors/file.exceptions.js';
import { withoutStack } from '../errors/refusal.exception.js';
import type { ConfinedPath } from './confined-path.js';
import { toRegularFileStat } from './file-stat.js';
import { toRefusal } from './system-error.js';

/** Part of a file, both ends included, counted from 0. */
export interface ByteRange {
  readonly start?: number;
  readonly end?: number;
}

/** Up to this size a read in place takes less time than handing it to the thread pool and back. */
const READ_IN_PLACE_BYTES = 64 * 1024;
/** What Node reads into one buffer; larger files are streamed. */
const MAX_READ_BYTES = 2 ** 31 - 1;

const readAsync = promisify(read);

/**
 * An open regular file of a tenant: everything read comes from the object that was checked, never from its path.
 * The holder closes it; with `await using` the language does. A stream that is still running keeps it open until it ends.
 */
export class ConfinedFile {
  readonly #fd: number;
  #users = 1;
  #closed = false;

  private constructor(
    fd: number,
    readonly path: string,
    /** In bytes, when it was opened. */
    readonly size: number,
    readonly modifiedAt: Date,
  ) {
    this.#fd = fd;
  }

  /** Takes over an open descriptor, and closes it if what it names must not be served. */
  static fromDescriptor(fd: number, path: ConfinedPath): ConfinedFile {
    try {
      const { size, modifiedAt } = toRegularFileStat(path, fstatSync(fd));
      return new ConfinedFile(fd, path, size, modifiedAt);
    } catch (error) {
      closeSync(fd);
      throw error;
    }
  }

  /**
   * The whole file.
   * @throws FileTooLargeException above 2 GiB: use a stream
   */
  async read(): Promise<Buffer> {
    if (this.size > MAX_READ_BYTES) throw withoutStack(() => new FileTooLargeException());
    this.#acquire();
    try {
      const buffer = Buffer.allocUnsafe(this.size);
      const length = this.size <= READ_IN_PLACE_BYTES ? this.#readInPlace(buffer) : await this.#readInPool(buffer);
      return length === this.size ? buffer : buffer.subarray(0, length);
    } catch (error) {
      throw toRefusal(error);
    } finally {
      this.#release();
    }
  }

  /**
   * The file, or a part of it, as a stream.
   * @throws RangeNotSatisfiableException if the range is not inside the file
   */
  createReadStream(range: ByteRange = {}): Readable {
    const { start = 0, end = this.size - 1 } = range;
    const wholeEmptyFile = this.size === 0 && range.start === undefined && range.end === undefined;
    if (!wholeEmptyFile && !isRangeIn(start, end, this.size)) {
      throw withoutStack(() => new RangeNotSatisfiableException());
    }
    if (wholeEmptyFile) return Readable.from([]);
    this.#acquire();
    return createReadStream('', {
      fd: this.#fd,
      start,
      end: Math.min(end, this.size - 1),
      fs: {
        read,
        close: (_fd: number, done: (error?: Error | null) => void) => {
          this.#release();
          done(null);
        },
      },
    });
  }

  /** Gives the handle back. Calling it again does nothing. */
  close(): Promise<void> {
    if (!this.#closed) {
      this.#closed = true;
      this.#release();
    }
    return Promise.resolve();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #readInPlace(buffer: Buffer): number {
    let length = 0;
    while (length < buffer.length) {
      const count = readSync(this.#fd, buffer, length, buffer.length - length, length);
      if (count === 0) break;
      length += count;
    }
    return length;
  }

  async #readInPool(buffer: Buffer): Promise<number> {
    let length = 0;
    while (length < buffer.length) {
      const { bytesRead } = await readAsync(this.#fd, buffer, length, buffer.length - length, length);
      if (bytesRead === 0) break;
      length += bytesRead;
    }
    return length;
  }

  #acquire(): void {
    if (this.#closed) throw new Error('This file is closed.');
    this.#users += 1;
  }

  #release(): void {
    this.#users -= 1;
    // In place: waiting for the thread pool, descriptors would pile up while it is busy.
    if (this.#users === 0) closeSync(this.#fd);
  }
}

function isRangeIn(start: number, end: number, size: number): boolean {
  return Number.isSafeInteger(start) && Number.isSafeInteger(end) && start >= 0 && start <= end && start < size;
}
