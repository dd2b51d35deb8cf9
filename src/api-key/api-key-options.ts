import type { ApiKeyFormat } from './api-key-format.js';
import type { CredentialOptions } from './credential.js';
import type { KeyCacheOptions } from './key-cache.js';
import type { KeyDigester } from './key-digest.js';
import type { KeyInvalidationBus } from './key-invalidation-bus.js';

/** The options of this folder, validated; made by the module. */
export interface ApiKeyOptions extends CredentialOptions {
  readonly format: ApiKeyFormat;
  readonly digester: KeyDigester;
  /** Whether later code and loggers may see the key in the request's headers. */
  readonly exposeKeyToHandlers: boolean;
  /** `undefined`: no cache. */
  readonly cache?: KeyCacheOptions;
  readonly bus?: KeyInvalidationBus;
  /** What a public route does with a bad key. */
  readonly invalidKey: 'reject' | 'ignore';
  /** What the middleware does with a missing one. */
  readonly missingKey: 'defer' | 'reject';
  readonly allowInMemoryStore: boolean;
  /** The address of whoever calls, for keys that are bound to addresses. */
  readonly clientAddress: (request: object) => string | undefined;
}

/** Injection token of {@link ApiKeyOptions}. */
export const API_KEY_OPTIONS = Symbol.for('nestjs-keyfence:api-key-options');
