import { withDeadline } from '../../api-key/deadline.js';
import type { Subscription } from './redis-subscription.js';

/** For connecting, and for a sign of life. */
const DEADLINE_MS = 3_000;
const FIRST_PAUSE_MS = 100;
const LONGEST_PAUSE_MS = 2_000;

/**
 * Keeps one subscription alive: when it is lost, it is opened again, after a pause that doubles with every failure. The client
 * libraries do that too, each in its own way and by options of the team; a cluster client does it without a word.
 */
export class ListeningLoop {
  #current: Subscription | undefined;
  #timer: NodeJS.Timeout | undefined;
  #pause = FIRST_PAUSE_MS;
  #stopped = false;
  /** Whether messages may have been missed since {@link start}. */
  #gap = false;

  constructor(
    private readonly options: {
      /** Milliseconds. */
      readonly pingInterval: number;
      open(lost: () => void): Promise<Subscription>;
      /** It listens again, after a time in which it did not. */
      onGap(): void;
    },
  ) {}

  /** Resolves when the first attempt has ended, well or not. */
  async start(): Promise<void> {
    const attempt: { lost: boolean; opened?: Subscription } = { lost: false };
    const opening = this.options.open(() => {
      attempt.lost = true;
      if (attempt.opened !== undefined) this.#lose(attempt.opened);
    });
    try {
      attempt.opened = await withDeadline(opening, DEADLINE_MS);
      if (attempt.lost) throw new Error('The connection was lost at once.');
    } catch {
      // What opens after all has come too late.
      opening.then(close, () => undefined);
      this.#startLater();
      return;
    }
    const { opened } = attempt;
    if (this.#stopped) {
      opened.close();
      return;
    }
    this.#current = opened;
    this.#pause = FIRST_PAUSE_MS;
    this.#pingLater(opened);
    if (this.#gap) this.options.onGap();
    this.#gap = false;
  }

  stop(): void {
    this.#stopped = true;
    clearTimeout(this.#timer);
    this.#current?.close();
    this.#current = undefined;
  }

  #lose(subscription: Subscription): void {
    if (this.#current !== subscription) return;
    this.#current = undefined;
    subscription.close();
    this.#startLater();
  }

  #startLater(): void {
    this.#gap = true;
    if (this.#stopped) return;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => void this.start(), this.#pause).unref();
    this.#pause = Math.min(2 * this.#pause, LONGEST_PAUSE_MS);
  }

  #pingLater(subscription: Subscription): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      withDeadline(subscription.ping(), DEADLINE_MS).then(
        () => {
          if (this.#current === subscription) this.#pingLater(subscription);
        },
        () => {
          this.#lose(subscription);
        },
      );
    }, this.options.pingInterval).unref();
  }
}

function close(subscription: Subscription): void {
  subscription.close();
}
