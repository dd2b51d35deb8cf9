import { Inject, Injectable, Logger } from '@nestjs/common';
import type { InvalidKeyReason } from '../errors/authentication.exceptions.js';
import type { Authentication } from '../principal/authentication.js';
import type { Principal } from '../principal/principal.js';
import { isAddressAllowed } from './allowed-addresses.js';
import { ANY_ENVIRONMENT, readKey, type ApiKeyText } from './api-key-format.js';
import { API_KEY_OPTIONS, type ApiKeyOptions } from './api-key-options.js';
import { readRecord, type VerifiableRecord } from './api-key-record.js';
import { ApiKeyStore } from './api-key.store.js';
import { Clock } from './clock.js';
import { readCredential, type HeaderSource } from './credential.js';
import { withDeadline } from './deadline.js';
import { digestKey, equalDigests } from './key-digest.js';

/** A caller waits for the store; one that takes longer than this is as good as down. */
const STORE_DEADLINE_MS = 3_000;
/** A store that fails does so for every request; the log needs to say it once. */
const REPORT_INTERVAL_MS = 10_000;
/** Compared with when there is no record, so that an unknown key takes the time of a known one. */
const NO_DIGEST = '0'.repeat(64);

const MISSING: Authentication = { status: 'missing' };

/**
 * Turns a request's headers into a principal, or says why not. It never throws: what it cannot decide is denied.
 *
 * No store call for a malformed key or a wrong checksum, one for any other; no write at all. A record that was found is
 * compared by its secret first, so that only the holder of a key can learn that it expired or was revoked.
 */
@Injectable()
export class ApiKeyAuthenticator {
  #reportedAt = -Infinity;

  constructor(
    private readonly store: ApiKeyStore,
    @Inject(API_KEY_OPTIONS) private readonly options: ApiKeyOptions,
    private readonly clock: Clock,
  ) {}

  /**
   * @param source the headers of the request
   * @param request what the option `clientAddress` takes; asked only for a key that is bound to addresses
   */
  authenticate(source: HeaderSource, request: object): Authentication | Promise<Authentication> {
    const credential = readCredential(source, this.options, this.#isKey);
    if (credential.status === 'none') return MISSING;
    if (credential.status === 'malformed') return invalid('malformed_credentials');
    const key = readKey(credential.text, this.options.format, this.store.foreignKeys);
    return typeof key === 'string' ? invalid(key) : this.#lookUp(key, request);
  }

  async #lookUp(key: ApiKeyText, request: object): Promise<Authentication> {
    let found: unknown;
    let record: VerifiableRecord | undefined;
    try {
      found = await withDeadline(Promise.resolve(this.store.findByLocator(key.locator)), STORE_DEADLINE_MS);
      record = readRecord(found);
    } catch (cause) {
      this.#reportFault('failed or did not answer in time: requests are answered 503', cause);
      return { status: 'unavailable', cause };
    }
    const matches = (digest: string): boolean => equalDigests(digestKey(key.text), digest);
    if (found === null || found === undefined) {
      matches(NO_DIGEST);
      return invalid('unknown_key');
    }
    if (record?.locator !== key.locator) {
      this.#reportFault('returned a record that is not sound, see StoredApiKey: its key is refused', found);
      return invalid('malformed_record');
    }
    if (record.digestVersion !== 'sha256') return invalid('unknown_digest_version');
    if (!matches(record.digest)) return invalid('wrong_secret');
    const refusal = this.#refusalOf(record, request);
    return refusal === undefined ? { status: 'authenticated', principal: toPrincipal(record) } : invalid(refusal);
  }

  #refusalOf(record: VerifiableRecord, request: object): InvalidKeyReason | undefined {
    const now = this.clock.now();
    if (record.environment !== ANY_ENVIRONMENT && record.environment !== this.options.format.environment) {
      return 'wrong_environment';
    }
    if (record.revokedAt !== undefined) return 'revoked';
    if (record.notBefore !== undefined && now < record.notBefore.getTime()) return 'not_yet_valid';
    if (record.expiresAt !== undefined && now >= record.expiresAt.getTime()) return 'expired';
    if (record.allowedIps !== undefined && !isAddressAllowed(this.#addressOf(request), record.allowedIps)) {
      return 'address_not_allowed';
    }
    return undefined;
  }

  #addressOf(request: object): string | undefined {
    try {
      const address: unknown = this.options.clientAddress(request);
      // An asynchronous function is a mistake that denies; its rejection must not end the process.
      if (address instanceof Promise) address.catch(() => undefined);
      return typeof address === 'string' ? address : undefined;
    } catch {
      return undefined;
    }
  }

  /**
   * A fault of the store is the operator's to know, once in a while; its text is not logged, since it may hold anything.
   */
  #reportFault(fault: string, what: unknown): void {
    const now = this.clock.now();
    if (Math.abs(now - this.#reportedAt) < REPORT_INTERVAL_MS) return;
    this.#reportedAt = now;
    const name = what instanceof Error ? ` (${what.name})` : '';
    new Logger('Keyfence').error(`The key store ${fault}${name}.`);
  }

  /** A bearer token that is not meant for us belongs to the application: a JWT, a session. */
  readonly #isKey = (token: string): boolean => {
    if (token.startsWith(this.options.format.prefix) && /^[a-z0-9]+_[0-9a-f]{16}_/.test(token)) return true;
    return this.store.foreignKeys && !/^[\w-]+\.[\w-]+\.[\w-]*$/.test(token);
  };
}

function invalid(reason: InvalidKeyReason): Authentication {
  return { status: 'invalid', reason };
}

function toPrincipal(record: VerifiableRecord): Principal {
  const { tenantId, id, scopes, expiresAt, allowedIps, metadata } = record;
  return Object.freeze({
    tenantId,
    keyId: id,
    scopes: Object.freeze([...scopes]),
    expiresAt,
    allowedIps: allowedIps && Object.freeze([...allowedIps]),
    metadata: metadata && Object.freeze({ ...metadata }),
  });
}
