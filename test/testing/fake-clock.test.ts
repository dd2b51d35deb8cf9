import { describe, expect, it } from '@jest/globals';
import { FakeClock } from '../../src/testing/fake-clock.js';

describe('FakeClock', () => {
  it('stands still', async () => {
    const clock = new FakeClock();
    const before = [clock.now(), clock.monotonic()];
    await new Promise((resolve) => setTimeout(resolve, 5));
    expect([clock.now(), clock.monotonic()]).toEqual(before);
  });

  it.each([[new Date(Date.UTC(2030, 0, 1))], ['2030-01-01T00:00:00.000Z']])('starts at %s', (start) => {
    expect(new FakeClock(start).now()).toBe(Date.UTC(2030, 0, 1));
  });

  it('advances the time of day and the age of things', () => {
    const clock = new FakeClock('2030-01-01T00:00:00.000Z');
    const age = clock.monotonic();
    clock.advance('25h');
    clock.advance(1);
    expect(new Date(clock.now()).toISOString()).toBe('2030-01-02T01:00:00.001Z');
    expect(clock.monotonic() - age).toBe(25 * 3_600_000 + 1);
  });

  it('shifts the time of day alone, also back', () => {
    const clock = new FakeClock();
    const [now, age] = [clock.now(), clock.monotonic()];
    clock.shift(-1_000);
    expect([clock.now() - now, clock.monotonic() - age]).toEqual([-1_000, 0]);
  });

  it('tells a time without moving', () => {
    const clock = new FakeClock('2030-01-01T00:00:00.000Z');
    expect([clock.in('1s').toISOString(), clock.in(-1).toISOString()]).toEqual([
      '2030-01-01T00:00:01.000Z',
      '2029-12-31T23:59:59.999Z',
    ]);
    expect(clock.now()).toBe(Date.UTC(2030, 0, 1));
  });

  it.each(['', '1', '1 h', 'soon', NaN, Infinity])(
    'refuses %j, which is no duration, and does not move',
    (duration) => {
      const clock = new FakeClock();
      const now = clock.now();
      expect(() => {
        clock.advance(duration);
      }).toThrow('Rule: a duration is');
      expect(() => clock.in(duration)).toThrow('Rule: a duration is');
      expect(clock.now()).toBe(now);
    },
  );

  it('refuses a start that is no time', () => {
    expect(() => new FakeClock('noon')).toThrow('is no time');
  });
});
