import { Clock } from '../../src/api-key/clock.js';

/** A clock that stands still until a test moves it. */
export class TestClock extends Clock {
  #now: number;

  constructor(start = '2026-06-01T12:00:00.000Z') {
    super();
    this.#now = Date.parse(start);
  }

  now(): number {
    return this.#now;
  }

  /** The time this many milliseconds from now, or before now. */
  in(milliseconds: number): Date {
    return new Date(this.#now + milliseconds);
  }

  advance(milliseconds: number): void {
    this.#now += milliseconds;
  }
}
