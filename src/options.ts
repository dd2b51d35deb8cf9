import type { ApiKeyStore } from './api-key/api-key.store.js';
import type { EngineName } from './confined-fs/engine.js';
import type { Strictness } from './confined-fs/strictness.js';

/** A route as `MiddlewareConsumer.exclude()` takes it. */
export type ExcludedRoute = string | { readonly path: string; /** A `RequestMethod`. */ readonly method: number };

/** What `KeyfenceModule.forRoot()` takes. Validated once, at boot; an option that is not in this list is an error. */
export interface KeyfenceOptions {
  /** Where the keys are. */
  readonly store: ApiKeyStore;
  readonly apiKey?: {
    /** The header that carries a key. @default 'x-api-key' */
    readonly header?: string;
    /**
     * Whether `Authorization: Bearer` may carry a key too. A token that has not the form of a key is left to other guards.
     * @default false
     */
    readonly bearer?: boolean;
    /** What keys begin with: 1 to 16 lower-case letters and digits. @default 'kf' */
    readonly prefix?: string;
    /** Follows the prefix; a key of another environment is refused. @default 'live' */
    readonly environment?: string;
  };
  /**
   * What a public route does with a bad key: refuse the request, or treat it as one without a key.
   * @default 'reject'
   */
  readonly invalidKey?: 'reject' | 'ignore';
  /** Tenants' files. Without it, `FileService` refuses to be used. */
  readonly files?: {
    /** An existing directory; each tenant gets a directory of its own in it. Absolute. */
    readonly root: string;
    /** The directory of a tenant, if not `<root>/<tenantId>`. Absolute, each tenant's own; its parent must exist. */
    rootFor?(tenantId: string): string;
    /** Refuse every verb that writes. @default false */
    readonly readOnly?: boolean;
    /** How files are confined. `auto` takes the strongest that works here, and on Linux never `portable`. @default 'auto' */
    readonly engine?: EngineName | 'auto';
    /** Do not start on a machine that gives less. @default whatever the engine gives */
    readonly requireStrictness?: Strictness;
  };
  /** `global`: before every handler. `manual`: only where `@UseGuards(ScopedKeyGuard)` stands. @default 'global' */
  readonly guard?: 'global' | 'manual';
  readonly middleware?: {
    /** Whether to mount `ApiKeyValidationMiddleware` on all routes. @default true */
    readonly mount?: boolean;
    /** What it does with a request without a key: leave it to the guard, or refuse it. @default 'defer' */
    readonly missingKey?: 'defer' | 'reject';
    /** Routes that it passes by, as for `consumer.exclude()`. They are still guarded. @default [] */
    readonly exclude?: readonly ExcludedRoute[];
  };
  /** What to do at boot about handlers that declare nothing; they are denied either way. @default 'deny' */
  readonly undeclaredRoutes?: 'deny' | 'refuse-boot';
  /**
   * The address of the caller, for keys that are bound to addresses. The request is the framework's, or node:http's in the
   * middleware on Fastify. @default `request.ip` (which honours the framework's trust-proxy setting), else the socket's
   */
  clientAddress?(request: object): string | undefined;
  /** Allow issuing keys into `InMemoryApiKeyStore` when `NODE_ENV` is `production`. @default false */
  readonly allowInMemoryStore?: boolean;
}

/** What `KeyfenceModule.forRootAsync({ useClass })` and `{ useExisting }` take. */
export interface KeyfenceOptionsFactory {
  createKeyfenceOptions(): KeyfenceOptions | Promise<KeyfenceOptions>;
}
