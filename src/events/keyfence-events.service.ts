import { channel } from 'node:diagnostics_channel';
import { Injectable, Logger, type OnApplicationShutdown } from '@nestjs/common';
import { Subject, type Observable } from 'rxjs';
import { IsolatedObservable } from './isolated-observable.js';
import type { KeyfenceEvent } from './keyfence-event.js';

/** The name of the `node:diagnostics_channel` on which every event of every application in the process is published. */
export const EVENT_CHANNEL = 'nestjs-keyfence:event';

const diagnostics = channel(EVENT_CHANNEL);

/**
 * What Keyfence tells of its work, for audit and metrics. A listener is called after the decision was made: what a function
 * throws that was given to `stream.subscribe()` or `stream.pipe(...).subscribe()`, or rejects with, is logged by its class and
 * changes nothing. (Behind another observable, such as `merge()`, rxjs makes it an uncaught exception. What a listener on the diagnostics channel throws
 * is an uncaught exception of the process, by Node's rule.) Events are not kept: store them where an audit needs them.
 * @example
 * this.events.stream.pipe(filter((event) => event.type === 'access_denied')).subscribe((event) => audit.write(event));
 */
@Injectable()
export class KeyfenceEvents implements OnApplicationShutdown {
  readonly #subject = new Subject<KeyfenceEvent>();
  /** The events of this application. It completes when the application ends. */
  readonly stream: Observable<KeyfenceEvent> = new IsolatedObservable<KeyfenceEvent>(reportListener, (subscriber) =>
    this.#subject.subscribe(subscriber),
  );

  /** Makes an event and gives it to whoever listens; without listeners it is not even made. */
  emit(make: () => KeyfenceEvent): void {
    if (!this.#subject.observed && !diagnostics.hasSubscribers) return;
    const event = frozen(make());
    diagnostics.publish(event);
    try {
      this.#subject.next(event);
    } catch (error) {
      // From a subscriber that rxjs was given ready-made, which it does not guard.
      reportListener(error);
    }
  }

  onApplicationShutdown(): void {
    this.#subject.complete();
  }
}

function reportListener(error: unknown): void {
  const name = error instanceof Error ? error.name : typeof error;
  new Logger('Keyfence').error(`A listener of KeyfenceEvents failed (${name}). Nothing else was affected.`);
}

/** With the objects in it. A date cannot be frozen. */
function frozen(event: KeyfenceEvent): KeyfenceEvent {
  for (const part of Object.values(event)) if (typeof part === 'object') Object.freeze(part);
  return Object.freeze(event);
}
