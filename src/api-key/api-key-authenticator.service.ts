import { Inject, Injectable, Logger } from '@nestjs/common';
import type { InvalidKeyReason } from '../errors/authentication.exceptions.js';
import type { FaultEvent } from '../events/keyfence-event.js';
import { KeyfenceEvents } from '../events/keyfence-events.service.js';
import type { Authentication } from '../principal/authentication.js';
import type { Principal } from '../principal/principal.js';
import { Clock } from '../time/clock.js';
import { isAddressAllowed } from './allowed-addresses.js';
import { ANY_ENVIRONMENT, readKey, type ApiKeyText } from './api-key-format.js';
import { API_KEY_OPTIONS, type ApiKeyOptions } from './api-key-options.js';
import { readRecord, type VerifiableRecord } from './api-key-record.js';
import { ApiKeyStore } from './api-key.store.js';
import { clientAddressOf } from './client-address.js';
import { readCredential, removeCredential, type HeaderSource, type MutableHeaderSource } from './credential.js';
import { withDeadline } from './deadline.js';
import { DeferredKeyWrites } from './deferred-key-writes.service.js';
import { KeyCache, type StoredKey } from './key-cache.js';

/** A caller waits for the store; one that takes longer than this is as good as down. */
const STORE_DEADLINE_MS = 3_000;
/** A store that fails does so for every request; the log needs to say it once. */
const REPORT_INTERVAL_MS = 10_000;

const MISSING: Authentication = { status: 'missing' };

/**
 * Turns a request's headers into a principal, or says why not. It never throws: what it cannot decide is denied.
 *
 * No store call for a malformed key, a wrong checksum or a key that the cache knows, one for any other; no write that
 * anybody waits for. A record that was found is compared by its secret first, so that only the holder of a key can learn
 * that it expired or was revoked; and by the clock at every request, cached or not.
 */
@Injectable()
export class ApiKeyAuthenticator {
  readonly #reportedAt = new Map<FaultEvent['type'], number>();

  constructor(
    private readonly store: ApiKeyStore,
    @Inject(API_KEY_OPTIONS) private readonly options: ApiKeyOptions,
    private readonly clock: Clock,
    private readonly cache: KeyCache,
    private readonly writes: DeferredKeyWrites,
    private readonly events: KeyfenceEvents,
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

  /** Takes the key out of a request that was looked at and is not looked at again, unless the option keeps it there. */
  conceal(source: MutableHeaderSource): void {
    if (!this.options.exposeKeyToHandlers) removeCredential(source, this.options, this.#isKey);
  }

  #lookUp(key: ApiKeyText, request: object): Authentication | Promise<Authentication> {
    const stored = this.cache.find(key.locator, this.#ask);
    // Without a promise where there is an answer: it would cost more than the look into the cache.
    if (!(stored instanceof Promise)) return this.#verify(key, stored, request);
    return stored.then(
      (found) => this.#verify(key, found, request),
      (cause: unknown) => ({ status: 'unavailable', cause }),
    );
  }

  readonly #ask = async (locator: string): Promise<StoredKey> => {
    let found: unknown;
    let record: VerifiableRecord | undefined;
    try {
      found = await withDeadline(Promise.resolve(this.store.findByLocator(locator)), STORE_DEADLINE_MS);
      // A column that is loaded when it is read fails here.
      record = readRecord(found);
    } catch (cause) {
      this.#reportFault('store_failed', cause, 'failed or did not answer in time: requests are answered 503');
      throw cause;
    }
    if (found === null || found === undefined) return { status: 'absent' };
    if (record?.locator === locator) return { status: 'found', record };
    this.#reportFault(
      'record_refused',
      found,
      'returned a record that is not sound, see StoredApiKey: its key is refused',
    );
    return { status: 'refused' };
  };

  #verify(key: ApiKeyText, stored: StoredKey, request: object): Authentication {
    const { digester } = this.options;
    if (stored.status !== 'found') {
      digester.matchesNothing(key.text);
      return invalid(stored.status === 'absent' ? 'unknown_key' : 'malformed_record');
    }
    const { record } = stored;
    const matches = digester.matches(key.text, record.digest, record.digestVersion);
    if (matches === undefined) {
      this.#reportFault(
        'record_refused',
        undefined,
        'holds a digest of a pepper version that apiKey.peppers does not have',
      );
      return invalid('unknown_digest_version', record);
    }
    const refusal = matches ? this.#refusalOf(record, request) : 'wrong_secret';
    if (refusal !== undefined) return invalid(refusal, record);
    this.writes.used(record);
    if (record.digestVersion !== digester.version) {
      this.writes.outdated(record, () => ({ digest: digester.digest(key.text), digestVersion: digester.version }));
    }
    return { status: 'authenticated', principal: toPrincipal(record) };
  }

  #refusalOf(record: VerifiableRecord, request: object): InvalidKeyReason | undefined {
    const now = this.clock.now();
    if (record.environment !== ANY_ENVIRONMENT && record.environment !== this.options.format.environment) {
      return 'wrong_environment';
    }
    if (record.revokedAt !== undefined) return 'revoked';
    if (record.graceEndsAt !== undefined && now >= record.graceEndsAt.getTime()) return 'rotated';
    if (record.notBefore !== undefined && now < record.notBefore.getTime()) return 'not_yet_valid';
    if (record.expiresAt !== undefined && now >= record.expiresAt.getTime()) return 'expired';
    if (
      record.allowedIps !== undefined &&
      !isAddressAllowed(clientAddressOf(this.options, request), record.allowedIps)
    ) {
      return 'address_not_allowed';
    }
    return undefined;
  }

  /**
   * A fault of the store is the operator's to know, once in a while; its text is not logged, since it may hold anything.
   */
  #reportFault(type: FaultEvent['type'], what: unknown, text: string): void {
    const reason = what instanceof Error ? what.name : text;
    this.events.emit(() => ({ type, at: new Date(this.clock.now()), reason }));
    const now = this.clock.monotonic();
    if (now - (this.#reportedAt.get(type) ?? -Infinity) < REPORT_INTERVAL_MS) return;
    this.#reportedAt.set(type, now);
    new Logger('Keyfence').error(`The key store ${text}${what instanceof Error ? ` (${what.name})` : ''}.`);
  }

  /** A bearer token that is not meant for us belongs to the application: a JWT, a session. */
  readonly #isKey = (token: string): boolean => {
    if (token.startsWith(this.options.format.prefix) && /^[a-z0-9]+_[0-9a-f]{16}_/.test(token)) return true;
    return this.store.foreignKeys && !/^[\w-]+\.[\w-]+\.[\w-]*$/.test(token);
  };
}

function invalid(reason: InvalidKeyReason, record?: VerifiableRecord): Authentication {
  if (record === undefined) return { status: 'invalid', reason };
  return { status: 'invalid', reason, key: { tenantId: record.tenantId, keyId: record.id } };
}

function toPrincipal(record: VerifiableRecord): Principal {
  const { tenantId, id, scopes, paths, allowedIps, metadata } = record;
  const ends = endOf(record);
  return Object.freeze({
    tenantId,
    keyId: id,
    scopes,
    paths,
    // A date cannot be frozen, and the record is the cache's.
    expiresAt: ends && new Date(ends),
    allowedIps,
    metadata,
  });
}

/** A key that was replaced ends with its grace, and must not give away a longer life than that. */
function endOf({ expiresAt, graceEndsAt }: VerifiableRecord): Date | undefined {
  if (expiresAt === undefined || graceEndsAt === undefined) return expiresAt ?? graceEndsAt;
  return graceEndsAt < expiresAt ? graceEndsAt : expiresAt;
}
