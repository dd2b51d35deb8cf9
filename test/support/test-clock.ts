export { FakeClock as TestClock } from '../../src/testing/fake-clock.js';
