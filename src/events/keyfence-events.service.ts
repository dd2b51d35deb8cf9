import { channel } from 'node:diagnostics_channel';
import { Injectable, Logger, type OnApplicationShutdown } from '@nestjs/common';
import { Subject, type Observable } from 'rxjs';
import { IsolatedObservable } from './isolated-observable.js';
import type { KeyfenceEvent } from './keyfence-event.js';

/** The name of the `node:diagnostics_channel` on which every event of every application in the process is published. */
export const EVENT_CHANNEL = 'nestjs-keyfence:event';

const diagnostics = channel(EVENT_CHANNEL);

/**
 * What Keyfence tells of its work, for audit and metrics. A listener is called after the decision was made: what it
 * throws, or rejects with, is logged by its class and changes nothing. (What a listener on the diagnostics channel throws
 * is an uncaught exception of the process, by Node's rule.) Events are not kept: store them where an audit needs them.
 * @example
 * this.events.stream.pipe(filter((event) => event.type === 'access_denied')).subscribe((event) => audit.write(event));
 */
@Injectable()
export class KeyfenceEvents implements OnApplicationShutdown {
  readonly #subject = new Subject<KeyfenceEvent>();
  /** The events of this application. It completes when the application ends. */
  readonly stream: Observable<KeyfenceEvent> = new IsolatedObservable<KeyfenceEvent>(
    (error) => {
      const name = error instanceof Error ? error.name : typeof error;
      new Logger('Keyfence').error(`A listener of KeyfenceEvents failed (${name}). Nothing else was affected.`);
    },
    (subscriber) => this.#subject.subscribe(subscriber),
  );

  /** Makes an event and gives it to whoever listens; without listeners it is not even made. */
  emit(make: () => KeyfenceEvent): void {
    if (!this.#subject.observed && !diagnostics.hasSubscribers) return;
    const event = Object.freeze(make());
    diagnostics.publish(event);
    this.#subject.next(event);
  }

  onApplicationShutdown(): void {
    this.#subject.complete();
  }
}
