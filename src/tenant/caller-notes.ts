import type { Authentication } from '../principal/authentication.js';
import type { Principal } from '../principal/principal.js';

/**
 * What is known of the caller of one call. It lies on the carrier as a plain property, since one that is defined as hidden
 * costs many times as much; its fields are private instead, so that printing a request does not show them. Another copy of
 * this package reads it by its methods.
 */
export class CallerNotes {
  #by: object | undefined;
  #authentication: Authentication | undefined;
  #admitted: Principal | undefined;

  noteFinding(by: object, authentication: Authentication): void {
    this.#by = by;
    this.#authentication = authentication;
  }

  /** What `by` has found out: another application in the same process may have other keys. */
  findingOf(by: object): Authentication | undefined {
    return this.#by === by ? this.#authentication : undefined;
  }

  admit(principal: Principal | undefined): void {
    this.#admitted = principal;
  }

  admitted(): Principal | undefined {
    return this.#admitted;
  }
}
