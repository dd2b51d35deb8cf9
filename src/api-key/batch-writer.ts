/**
 * Collects what is to be written, by key, and writes it together: at most one write in an interval, and none while nothing
 * is to be written. What could not be written is kept for the next time, unless something newer has come for its key.
 */
export class BatchWriter<T> {
  #waiting = new Map<string, T>();
  #timer: NodeJS.Timeout | undefined;
  #closed = false;
  /** The last write that was begun: two at once could overtake each other. */
  #last: Promise<void> = Promise.resolve();

  constructor(
    private readonly options: {
      /** Milliseconds. */
      readonly interval: number;
      /** Beyond as many keys, new ones are dropped: the memory stays bounded while the store is down. */
      readonly maxWaiting: number;
      write(items: readonly (readonly [key: string, item: T])[]): Promise<void>;
      onError(error: unknown): void;
    },
  ) {}

  /** Notes an item, in the place of an earlier one of the same key. Costs no I/O. */
  add(key: string, item: T): void {
    if (this.#waiting.size >= this.options.maxWaiting && !this.#waiting.has(key)) return;
    this.#waiting.set(key, item);
    if (!this.#closed) this.#timer ??= setTimeout(() => void this.flush(), this.options.interval).unref();
  }

  /** Whether something is noted for this key and not yet written. */
  has(key: string): boolean {
    return this.#waiting.has(key);
  }

  /** Writes what waits, now; what is being written is waited for. Never rejects. */
  flush(): Promise<void> {
    const write = (): Promise<void> => this.#write();
    this.#last = this.#last.then(write, write);
    return this.#last;
  }

  /** Writes what waits for the last time. What then fails is given up: nobody is left to try again for. */
  close(): Promise<void> {
    this.#closed = true;
    return this.flush();
  }

  async #write(): Promise<void> {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    if (this.#waiting.size === 0) return;
    const items = this.#waiting;
    this.#waiting = new Map();
    try {
      await this.options.write([...items]);
    } catch (error) {
      this.options.onError(error);
      for (const [key, item] of items) if (!this.#waiting.has(key)) this.add(key, item);
    }
  }
}
