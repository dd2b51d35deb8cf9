import type { ApiKeyStore } from './api-key/api-key.store.js';
import type { Peppers } from './api-key/key-digest.js';
import type { KeyInvalidationBus } from './api-key/key-invalidation-bus.js';
import type { EngineName } from './confined-fs/engine.js';
import type { Strictness } from './confined-fs/strictness.js';
import type { Duration } from './time/duration.js';

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
    /**
     * Secrets to make digests with, by version, and the version that new digests have. At least 32 characters each, kept
     * apart from the store. Digests of other versions, and without a pepper, work on and are made anew at the next use of
     * their key; a version that is taken out denies its keys. @default none: a key that Keyfence issued has 220 random bits
     * @example { current: '2', secrets: { '1': process.env.PEPPER_1, '2': process.env.PEPPER_2 } }
     */
    readonly peppers?: Peppers;
    /**
     * Leave the key in the request's headers, where every handler, logger and error reporter sees it. Otherwise it is taken
     * out of `headers` and `rawHeaders` when it was read. @default false
     */
    readonly exposeKeyToHandlers?: boolean;
  };
  /**
   * How long an answer of the store is believed: `ttl` for a record and `negativeTtl` for that there is none; `maxEntries`
   * of each. A revoked key stops working in the process that revoked it at once, elsewhere when the `bus` delivers, and
   * nowhere later than `ttl` after. While the store is down, known keys work on within `ttl`; `false` asks the store at
   * every request and denies at once. @default { ttl: '30s', negativeTtl: '5s', maxEntries: 10_000 }
   */
  readonly cache?:
    | false
    | {
        readonly ttl?: Duration;
        readonly negativeTtl?: Duration;
        readonly maxEntries?: number;
        /** Tells other processes of keys that changed. @default none */
        readonly bus?: KeyInvalidationBus;
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
    /**
     * Whether to mount `ApiKeyValidationMiddleware` on all routes. On Fastify it is a hook, which runs after middleware that
     * Nest applies, and not for plugins with an own scope that were awaited before the application was initialized.
     * @default true
     */
    readonly mount?: boolean;
    /** What it does with a request without a key: leave it to the guard, or refuse it. @default 'defer' */
    readonly missingKey?: 'defer' | 'reject';
    /** Routes that it passes by, as for `consumer.exclude()`. They are still guarded. @default [] */
    readonly exclude?: readonly ExcludedRoute[];
  };
  /**
   * Whether `TenantContext.current()` works in HTTP handlers. It rests on `AsyncLocalStorage`, which on Node 20 and 22 makes
   * every promise of the process dearer, also those of other libraries. With `false` nothing of it is set up, `current()`
   * throws, and `@CurrentPrincipal()` gives the principal to whom it is handed on.
   * @default true
   */
  readonly tenantContext?: boolean;
  /** What to do at boot about handlers that declare nothing; they are denied either way. @default 'deny' */
  readonly undeclaredRoutes?: 'deny' | 'refuse-boot';
  /**
   * The address of the caller, for keys that are bound to addresses. The request is the framework's; on Fastify it is
   * node:http's where Nest runs the middleware: with `middleware.exclude`, or applied by yourself.
   * @default `request.ip` (which honours the framework's trust-proxy setting), else the socket's
   */
  clientAddress?(request: object): string | undefined;
  /** Allow issuing keys into `InMemoryApiKeyStore` when `NODE_ENV` is `production`. @default false */
  readonly allowInMemoryStore?: boolean;
}

/** What `KeyfenceModule.forRootAsync({ useClass })` and `{ useExisting }` take. */
export interface KeyfenceOptionsFactory {
  createKeyfenceOptions(): KeyfenceOptions | Promise<KeyfenceOptions>;
}
