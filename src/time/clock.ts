/** Where the time comes from, so that tests can move it. */
export abstract class Clock {
  /** Milliseconds since the epoch. It may be set back or forth; what a record says is compared with it. */
  abstract now(): number;

  /** Milliseconds that only grow, from any start. Ages are measured with it, so that setting the clock back makes nothing young. */
  abstract monotonic(): number;
}

export class SystemClock extends Clock {
  now(): number {
    return Date.now();
  }

  monotonic(): number {
    return performance.now();
  }
}
