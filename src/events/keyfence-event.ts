import type { InvalidKeyReason } from '../errors/authentication.exceptions.js';
import type { KeyfenceErrorCode } from '../errors/error-code.js';
import type { TenantId } from '../principal/tenant-id.js';

/** A key, by what may be logged of it. */
export interface KeyReference {
  readonly tenantId: TenantId;
  readonly keyId: string;
}

/** Somebody changed a key. */
export interface KeyLifecycleEvent extends KeyReference {
  readonly type: 'key_issued' | 'key_updated' | 'key_rotated' | 'key_revoked';
  readonly at: Date;
  /** Whoever asked: the `grantedBy` of `ApiKeyService.forTenant`, or the application itself. */
  readonly actor: KeyReference | 'system';
  /** Of `key_rotated`: the id of the new key. */
  readonly successorId?: string;
}

/** Dead keys were removed, of all tenants. */
export interface KeysPrunedEvent {
  readonly type: 'keys_pruned';
  readonly at: Date;
  readonly actor: 'system';
  readonly count: number;
}

/** Somebody was not let in. */
export interface AccessDeniedEvent {
  readonly type: 'access_denied';
  readonly at: Date;
  /** What the caller was told. */
  readonly errorCode: KeyfenceErrorCode;
  /** The exact reason, which the caller is never told: for a bad key what is wrong with it, otherwise the `errorCode`. */
  readonly reason: InvalidKeyReason | KeyfenceErrorCode;
  /** The key that was used, where it was found. With `wrong_secret` the caller knew its id alone. */
  readonly key?: KeyReference;
  /** As the option `clientAddress` gives it. */
  readonly address?: string;
  /** `Controller.method`; absent where the middleware answered, and for `grant_exceeded`. */
  readonly handler?: string;
}

/** Something that Keyfence needs did not work. Requests were denied or delays accepted as documented. */
export interface FaultEvent {
  readonly type: 'store_failed' | 'invalidation_failed' | 'deferred_write_failed' | 'record_refused';
  readonly at: Date;
  /** The class of the error, or what is wrong with the record; never its text, which may hold anything. */
  readonly reason: string;
}

/** What Keyfence tells of its work: ids and reasons, never a key, a digest or a path. Frozen, but for dates. */
export type KeyfenceEvent = KeyLifecycleEvent | KeysPrunedEvent | AccessDeniedEvent | FaultEvent;
