import type { KeyfenceOptions } from '../../../src/options.js';
import { PLATFORMS, type Platform } from '../../support/adapters.js';

/** An HTTP framework, and whether the middleware stands before the guard. */
export interface Way {
  readonly name: string;
  readonly platform: Platform;
  readonly options: Pick<KeyfenceOptions, 'middleware'>;
}

/** For `describe.each(WAYS)('$name', (way) => ...)`: what is promised over HTTP is promised in each of these. */
export const WAYS: readonly Way[] = PLATFORMS.flatMap((platform) => [
  { name: `${platform.name}, middleware mounted`, platform, options: {} },
  { name: `${platform.name}, guard alone`, platform, options: { middleware: { mount: false } } },
]);

/** The two that share neither the framework nor the middleware, for what is dear to test. */
export const TWO_WAYS: readonly Way[] = WAYS.filter((_way, index) => index === 0 || index === WAYS.length - 1);
