import type { ApiKeyFormat } from './api-key-format.js';
import type { CredentialOptions } from './credential.js';

/** The options of this folder, validated; made by the module. */
export interface ApiKeyOptions extends CredentialOptions {
  readonly format: ApiKeyFormat;
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
