import { ANY_ENVIRONMENT, LABEL } from './api-key/api-key-format.js';
import type { ApiKeyOptions } from './api-key/api-key-options.js';
import type { ApiKeyStore } from './api-key/api-key.store.js';
import { isStrictness } from './confined-fs/strictness.js';
import { KeyfenceConfigurationError } from './errors/configuration.error.js';
import type { FileOptions } from './files/file-options.js';
import type { ExcludedRoute, KeyfenceOptions } from './options.js';
import type { ScopeOptions } from './scope/scope-options.js';

/** The options, read once; every folder gets its own part. */
export interface ResolvedOptions {
  readonly store: ApiKeyStore;
  readonly apiKey: ApiKeyOptions;
  readonly files: FileOptions | undefined;
  readonly scope: ScopeOptions;
  readonly middleware: { readonly mount: boolean; readonly exclude: readonly ExcludedRoute[] };
}

const KNOWN = {
  '': [
    'store',
    'apiKey',
    'invalidKey',
    'files',
    'guard',
    'middleware',
    'undeclaredRoutes',
    'clientAddress',
    'allowInMemoryStore',
  ],
  apiKey: ['header', 'bearer', 'prefix', 'environment'],
  files: ['root', 'rootFor', 'readOnly', 'engine', 'requireStrictness'],
  middleware: ['mount', 'missingKey', 'exclude'],
} as const;

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
    invalidKey: oneOf('invalidKey', options.invalidKey, ['reject', 'ignore']),
    missingKey: oneOf('middleware.missingKey', options.middleware?.missingKey, ['defer', 'reject']),
    allowInMemoryStore: flag('allowInMemoryStore', options.allowInMemoryStore, false),
    clientAddress: options.clientAddress?.bind(options) ?? addressOf,
  };
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
