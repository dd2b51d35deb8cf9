import type { InvalidKeyReason } from '../errors/authentication.exceptions.js';
import type { Principal } from './principal.js';

/** What was found out about a request's API key. Anything but `authenticated` gives nothing. */
export type Authentication =
  | { readonly status: 'authenticated'; readonly principal: Principal }
  | { readonly status: 'missing' }
  | { readonly status: 'invalid'; readonly reason: InvalidKeyReason }
  /** The store failed or did not answer in time. */
  | { readonly status: 'unavailable'; readonly cause: unknown };
