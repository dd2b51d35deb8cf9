import { ANY_ENVIRONMENT, LABEL } from './api-key/api-key-format.js';
import type { ApiKeyOptions } from './api-key/api-key-options.js';
import type { ApiKeyStore } from './api-key/api-key.store.js';
import type { KeyCacheOptions } from './api-key/key-cache.js';
import { KeyDigester, type Peppers } from './api-key/key-digest.js';
import type { KeyInvalidationBus } from './api-key/key-invalidation-bus.js';
import { isStrictness } from './confined-fs/strictness.js';
import { KeyfenceConfigurationError } from './errors/configuration.error.js';
import type { FileOptions } from './files/file-options.js';
import type { ExcludedRoute, KeyfenceOptions } from './options.js';
import type { ScopeOptions } from './scope/scope-options.js';
import { DURATION_RULE, parseDuration, type Duration } from './time/duration.js';

/** The options, read once; every folder gets its own part. */
export interface ResolvedOptions {
  readonly store: ApiKeyStore;
  readonly apiKey: ApiKeyOptions;
  readonly files: FileOptions | undefined;
  readonly scope: ScopeOptions;
  readonly middleware: { readonly mount: boolean; readonly exclude: readonly ExcludedRoute[] };
  readonly tenantContext: boolean;
}

const KNOWN = {
  '': [
    'store',
    'apiKey',
    'cache',
    'invalidKey',
    'files',
    'guard',
    'middleware',
    'tenantContext',
    'undeclaredRoutes',
    'clientAddress',
    'allowInMemoryStore',
  ],
  apiKey: ['header', 'bearer', 'prefix', 'environment', 'peppers', 'exposeKeyToHandlers'],
  'apiKey.peppers': ['current', 'secrets'],
  cache: ['ttl', 'negativeTtl', 'maxEntries', 'bus'],
  files: ['root', 'rootFor', 'readOnly', 'engine', 'requireStrictness'],
  middleware: ['mount', 'missingKey', 'exclude'],
} as const;

/** Shorter than any secret, so that none passes for a version. */
const PEPPER_VERSION = /^[\w.-]{1,16}$/;
/** 256 bits in base64 have 44 characters, in hexadecimal 64; what is shorter than this was made up by somebody. */
const MIN_PEPPER_LENGTH = 32;
const MAX_CACHE_ENTRIES = 1_000_000;
const MAX_CACHE_AGE_MS = 3_600_000;
/** A header name (RFC 9110, section 5.1). */
const HEADER_NAME = /^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,64}$/;
/** Headers that Node or the framework gives a meaning of its own. */
const TAKEN_HEADERS = [
  'authorization',
  'cookie',
  'host',
  'set-cookie',
  'content-type',
  'content-length',
  'proxy-authorization',
];

/** @throws KeyfenceConfigurationError that names the option, what it was and the cure */
export function resolveOptions(options: KeyfenceOptions): ResolvedOptions {
  checkKnown('', options);
  checkKnown('apiKey', options.apiKey);
  checkKnown('apiKey.peppers', options.apiKey?.peppers);
  if (options.cache !== false) checkKnown('cache', options.cache);
  checkKnown('files', options.files);
  checkKnown('middleware', options.middleware);
  if (typeof (options.store as unknown as Partial<ApiKeyStore> | undefined)?.findByLocator !== 'function') {
    throw wrong('store', options.store, 'Give an ApiKeyStore, such as new InMemoryApiKeyStore() or your own subclass');
  }
  return {
    store: options.store,
    apiKey: resolveApiKey(options),
    files: resolveFiles(options.files),
    scope: {
      guard: oneOf('guard', options.guard, ['global', 'manual']),
      undeclaredRoutes: oneOf('undeclaredRoutes', options.undeclaredRoutes, ['deny', 'refuse-boot']),
    },
    middleware: {
      mount: flag('middleware.mount', options.middleware?.mount, true),
      exclude: routes(options.middleware?.exclude),
    },
    tenantContext: flag('tenantContext', options.tenantContext, true),
  };
}

function resolveApiKey(options: KeyfenceOptions): ApiKeyOptions {
  checkNotUnset('apiKey', options.apiKey ?? {});
  const { header = 'x-api-key', bearer, prefix = 'kf', environment = 'live' } = options.apiKey ?? {};
  if (typeof header !== 'string' || !HEADER_NAME.test(header) || TAKEN_HEADERS.includes(header.toLowerCase())) {
    throw wrong(
      'apiKey.header',
      header,
      "Give a header name such as 'x-api-key'; for Authorization set apiKey.bearer: true",
    );
  }
  for (const [name, value] of Object.entries({ prefix, environment })) {
    if (typeof value !== 'string' || !LABEL.test(value) || value === ANY_ENVIRONMENT) {
      throw wrong(`apiKey.${name}`, value, "Give 1 to 16 lower-case letters and digits, a letter first, and not 'any'");
    }
  }
  checkFunction('clientAddress', options, 'of the request that returns an address');
  return {
    header: header.toLowerCase(),
    bearer: flag('apiKey.bearer', bearer, false),
    format: { prefix, environment },
    digester: new KeyDigester(resolvePeppers(options.apiKey?.peppers)),
    exposeKeyToHandlers: flag('apiKey.exposeKeyToHandlers', options.apiKey?.exposeKeyToHandlers, false),
    cache: resolveCache(options.cache),
    bus: resolveBus(options.cache),
    invalidKey: oneOf('invalidKey', options.invalidKey, ['reject', 'ignore']),
    missingKey: oneOf('middleware.missingKey', options.middleware?.missingKey, ['defer', 'reject']),
    allowInMemoryStore: flag('allowInMemoryStore', options.allowInMemoryStore, false),
    clientAddress: options.clientAddress?.bind(options) ?? addressOf,
  };
}

function resolvePeppers(peppers: Peppers | undefined): Peppers | undefined {
  if (peppers === undefined) return undefined;
  const { current, secrets } = peppers as Partial<Peppers>;
  const entries = Object.entries(secrets ?? {});
  for (const [position, [version, secret]] of entries.entries()) {
    // Neither is shown: whoever mixes them up would find the secret in a log.
    const where = `apiKey.peppers.secrets, number ${position + 1}`;
    if (!PEPPER_VERSION.test(version)) {
      throw new KeyfenceConfigurationError(
        where,
        'has a version that is none',
        "Name versions '1', '2' or the like: 1 to 16 of A-Z, a-z, 0-9, '_', '-' and '.'.",
      );
    }
    if (typeof secret !== 'string' || secret.trim().length < MIN_PEPPER_LENGTH) {
      throw new KeyfenceConfigurationError(
        where,
        `is empty, unset or shorter than ${MIN_PEPPER_LENGTH} characters`,
        'Make one with `openssl rand -base64 32`. Is the environment variable that holds it set?',
      );
    }
  }
  if (typeof current !== 'string' || !entries.some(([version]) => version === current)) {
    throw new KeyfenceConfigurationError(
      'apiKey.peppers.current',
      'is none of the versions in apiKey.peppers.secrets',
      'Name the version, not the secret.',
    );
  }
  return { current, secrets: Object.fromEntries(entries) };
}

function resolveCache(cache: KeyfenceOptions['cache']): KeyCacheOptions | undefined {
  if (cache === false) return undefined;
  checkNotUnset('cache', cache ?? {});
  const { ttl = '30s', negativeTtl = '5s', maxEntries = 10_000 } = cache ?? {};
  if (!Number.isInteger(maxEntries) || maxEntries < 1 || maxEntries > MAX_CACHE_ENTRIES) {
    throw wrong('cache.maxEntries', maxEntries, `Give a whole number from 1 to ${MAX_CACHE_ENTRIES}`);
  }
  return {
    ttl: cacheAge('cache.ttl', ttl),
    negativeTtl: cacheAge('cache.negativeTtl', negativeTtl),
    maxEntries,
  };
}

/** Beyond an hour it is no cache any more but a second store, and the bound of a revocation no bound. */
function cacheAge(option: string, value: Duration): number {
  const milliseconds = parseDuration(value);
  if (milliseconds !== undefined && milliseconds <= MAX_CACHE_AGE_MS) return milliseconds;
  throw wrong(option, value, `Give at most an hour; ${DURATION_RULE}`);
}

function resolveBus(cache: KeyfenceOptions['cache']): KeyInvalidationBus | undefined {
  const bus = cache === false ? undefined : cache?.bus;
  if (bus === undefined || typeof (bus as Partial<KeyInvalidationBus> | null)?.subscribe === 'function') return bus;
  throw wrong('cache.bus', bus, 'Give a KeyInvalidationBus, such as one of nestjs-keyfence/redis or /postgres');
}

function resolveFiles(files: KeyfenceOptions['files']): FileOptions | undefined {
  if (files === undefined) return undefined;
  const { root, readOnly, engine, requireStrictness } = files;
  if (typeof root !== 'string' || root === '') {
    throw wrong('files.root', root, 'Give an absolute path. Is the environment variable that holds it set?');
  }
  checkFunction('files.rootFor', files, 'of the tenant id that returns an absolute path');
  if (requireStrictness !== undefined && !isStrictness(requireStrictness)) {
    throw wrong(
      'files.requireStrictness',
      requireStrictness,
      "Give 'kernel', 'procfs', 'platform-flag' or 'best-effort'",
    );
  }
  return {
    root,
    rootFor: files.rootFor?.bind(files),
    readOnly: flag('files.readOnly', readOnly, false),
    engine: oneOf('files.engine', engine, ['auto', 'openat2', 'procfs', 'portable']),
    requireStrictness,
  };
}

interface AddressedRequest {
  readonly ip: string;
  readonly socket: { readonly remoteAddress?: string };
  readonly handshake: { readonly address?: string };
}

/**
 * Both frameworks put it on their request, and Fastify on the raw one for middleware; node:http has only the socket, and
 * socket.io the handshake.
 */
function addressOf(request: object): string | undefined {
  const { ip, socket, handshake } = request as Partial<AddressedRequest>;
  return ip ?? socket?.remoteAddress ?? handshake?.address;
}

function checkKnown(part: keyof typeof KNOWN, value: unknown): void {
  if (value === undefined && part !== '') return;
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw wrong(part === '' ? 'KeyfenceModule.forRoot(options)' : part, value, 'Give an object');
  }
  const known: readonly string[] = KNOWN[part];
  const unknown = Object.keys(value).find((name) => !known.includes(name));
  if (unknown === undefined) return;
  const where = part === '' ? unknown : `${part}.${unknown}`;
  throw new KeyfenceConfigurationError(where, 'is no option', `There are: ${known.join(', ')}.`);
}

/** `environment: process.env.KEY_ENV`, unset, would silently be another environment. */
function checkNotUnset(part: string, value: object): void {
  const unset = Object.entries(value).find(([, setting]) => setting === undefined);
  if (unset === undefined) return;
  throw wrong(`${part}.${unset[0]}`, undefined, 'Leave it out for the default. Is the environment variable set?');
}

function oneOf<const T extends string>(option: string, value: T | undefined, allowed: readonly [T, ...T[]]): T {
  if (value === undefined) return allowed[0];
  if (allowed.includes(value)) return value;
  throw wrong(option, value, `Give one of ${allowed.map((name) => `'${name}'`).join(', ')}`);
}

function checkFunction(option: string, parent: object, what: string): void {
  const value: unknown = Reflect.get(parent, option.slice(option.indexOf('.') + 1));
  if (value !== undefined && typeof value !== 'function') throw wrong(option, value, `Give a function ${what}`);
}

function flag(option: string, value: boolean | undefined, fallback: boolean): boolean {
  if (value === undefined || typeof value === 'boolean') return value ?? fallback;
  throw wrong(option, value, 'Give true or false');
}

function routes(value: readonly ExcludedRoute[] | undefined): readonly ExcludedRoute[] {
  if (value === undefined) return [];
  if (Array.isArray(value) && value.every(isRoute)) return value;
  throw wrong('middleware.exclude', value, "Give a list of routes, such as ['health']");
}

function isRoute(value: unknown): value is ExcludedRoute {
  if (typeof value !== 'object' || value === null) return typeof value === 'string';
  const { path, method } = value as { readonly path?: unknown; readonly method?: unknown };
  return typeof path === 'string' && typeof method === 'number';
}

/** Text is shown as it is and anything else by its type: an object could hold what does not belong in a log. */
function wrong(option: string, value: unknown, cure: string): KeyfenceConfigurationError {
  const type = value === null || value === undefined ? String(value) : `of type ${typeof value}`;
  const shown = typeof value === 'string' ? `'${value}'` : type;
  return new KeyfenceConfigurationError(option, `is ${shown}`, cure.endsWith('?') ? cure : `${cure}.`);
}
