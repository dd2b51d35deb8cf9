import { KeyfenceConfigurationError } from '../errors/configuration.error.js';
import { Clock } from '../time/clock.js';
import { DURATION_RULE, parseDuration, type Duration } from '../time/duration.js';

/**
 * A clock that stands still until a test moves it. It is what Keyfence's own decisions go by (expiry, grace, caches); the
 * timers of Node go on as ever.
 *
 * @example
 * const clock = new FakeClock();
 * Test.createTestingModule({ imports: [AppModule] }).overrideProvider(Clock).useValue(clock);
 * clock.advance('25h');
 */
export class FakeClock extends Clock {
  #now: number;
  #monotonic = 1_000;

  /** @param start the time at first, as a Date or as text such as `2026-06-01T12:00:00.000Z` */
  constructor(start: Date | string = '2026-06-01T12:00:00.000Z') {
    super();
    this.#now = new Date(start).getTime();
    if (Number.isNaN(this.#now)) {
      throw new KeyfenceConfigurationError('new FakeClock(start)', 'is no time', 'Give a Date or an ISO 8601 text.');
    }
  }

  now(): number {
    return this.#now;
  }

  monotonic(): number {
    return this.#monotonic;
  }

  /** Lets time pass. */
  advance(duration: Duration): void {
    const milliseconds = millisecondsOf(duration);
    this.#now += milliseconds;
    this.#monotonic += milliseconds;
  }

  /** Sets the time of day off, as an operator or NTP would, without any time passing; back if it is negative. */
  shift(milliseconds: number): void {
    this.#now += milliseconds;
  }

  /** The time of day after this long; before now if it is negative. Moves nothing. */
  in(duration: Duration): Date {
    return new Date(this.#now + millisecondsOf(duration));
  }
}

function millisecondsOf(duration: Duration): number {
  const milliseconds = typeof duration === 'number' ? duration : parseDuration(duration);
  if (milliseconds !== undefined && Number.isFinite(milliseconds)) return milliseconds;
  throw new KeyfenceConfigurationError('FakeClock', `was moved by '${duration}'`, `Rule: ${DURATION_RULE}.`);
}
