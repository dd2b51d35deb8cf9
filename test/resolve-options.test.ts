import { describe, expect, it } from '@jest/globals';
import { InMemoryApiKeyStore } from '../src/api-key/in-memory-api-key.store.js';
import { InProcessInvalidationBus } from '../src/api-key/key-invalidation-bus.js';
import type { KeyfenceOptions } from '../src/options.js';
import { resolveOptions } from '../src/resolve-options.js';

const store = new InMemoryApiKeyStore();

function resolve(options: object): ReturnType<typeof resolveOptions> {
  return resolveOptions({ store, ...options });
}

describe('resolveOptions', () => {
  it('fills in what the documentation says', () => {
    expect(resolve({})).toEqual({
      store,
      apiKey: {
        header: 'x-api-key',
        bearer: false,
        format: { prefix: 'kf', environment: 'live' },
        invalidKey: 'reject',
        missingKey: 'defer',
        allowInMemoryStore: false,
        clientAddress: expect.any(Function),
        digester: expect.objectContaining({ version: 'sha256' }),
        exposeKeyToHandlers: false,
        cache: { ttl: 30_000, negativeTtl: 5_000, maxEntries: 10_000 },
        bus: undefined,
      },
      files: undefined,
      scope: { guard: 'global', undeclaredRoutes: 'deny' },
      middleware: { mount: true, exclude: [] },
      tenantContext: true,
    });
  });

  it('takes undefined for not given', () => {
    const unset = {
      apiKey: undefined,
      invalidKey: undefined,
      files: undefined,
      guard: undefined,
      middleware: { mount: undefined, missingKey: undefined, exclude: undefined },
      tenantContext: undefined,
      undeclaredRoutes: undefined,
      clientAddress: undefined,
      allowInMemoryStore: undefined,
    };
    expect(JSON.stringify(resolve(unset))).toBe(JSON.stringify(resolve({})));
  });

  it('keeps what is given', () => {
    const resolved = resolve({
      apiKey: { header: 'X-Tenant-Key', bearer: true, prefix: 'acme', environment: 'test' },
      invalidKey: 'ignore',
      guard: 'manual',
      middleware: { mount: false, missingKey: 'reject', exclude: ['health'] },
      tenantContext: false,
      undeclaredRoutes: 'refuse-boot',
      allowInMemoryStore: true,
      files: { root: '/srv/tenants', readOnly: true, engine: 'portable', requireStrictness: 'procfs' },
    });
    expect(resolved).toMatchObject({
      apiKey: {
        // Node gives header names in lower case.
        header: 'x-tenant-key',
        bearer: true,
        format: { prefix: 'acme', environment: 'test' },
        invalidKey: 'ignore',
        missingKey: 'reject',
        allowInMemoryStore: true,
      },
      scope: { guard: 'manual', undeclaredRoutes: 'refuse-boot' },
      middleware: { mount: false, exclude: ['health'] },
      tenantContext: false,
      files: { root: '/srv/tenants', readOnly: true, engine: 'portable', requireStrictness: 'procfs' },
    });
  });

  it('calls functions as methods of the object that has them', () => {
    class Addresses {
      readonly store = store;
      readonly #address = '203.0.113.7';
      readonly files = new Directories();
      clientAddress(): string {
        return this.#address;
      }
    }
    class Directories {
      readonly root = '/srv';
      readonly #base = '/srv/tenants';
      rootFor(tenantId: string): string {
        return `${this.#base}/${tenantId}`;
      }
    }
    const resolved = resolveOptions(new Addresses());
    expect(resolved.apiKey.clientAddress({})).toBe('203.0.113.7');
    expect(resolved.files?.rootFor?.('acme')).toBe('/srv/tenants/acme');
  });

  it('finds the address of a caller where frameworks and Node keep it', () => {
    const { clientAddress } = resolve({}).apiKey;
    expect(clientAddress({ ip: '203.0.113.7', socket: { remoteAddress: '10.0.0.1' } })).toBe('203.0.113.7');
    expect(clientAddress({ socket: { remoteAddress: '10.0.0.1' } })).toBe('10.0.0.1');
    expect(clientAddress({ handshake: { address: '10.0.0.1' } })).toBe('10.0.0.1');
    expect(clientAddress({ headers: { 'x-forwarded-for': '203.0.113.7' } })).toBeUndefined();
    expect(clientAddress({})).toBeUndefined();
  });
});

describe('a wrong option', () => {
  const LABEL_CURE = "Give 1 to 16 lower-case letters and digits, a letter first, and not 'any'";

  /** The option, what is wrong with it, the value, and what the message has to say besides the option. */
  const WRONG: [string, string, object, string][] = [
    ['store', 'missing', { store: undefined }, 'Give an ApiKeyStore, such as new InMemoryApiKeyStore()'],
    ['store', 'null', { store: null }, 'is null. Give an ApiKeyStore'],
    ['store', 'a class', { store: InMemoryApiKeyStore }, 'Give an ApiKeyStore'],
    ['store', 'an object that looks up nothing', { store: {} }, 'Give an ApiKeyStore'],
    ['apiKey', 'null', { apiKey: null }, 'is null. Give an object'],
    ['apiKey', 'a text', { apiKey: 'x-api-key' }, 'Give an object'],
    ['apiKey', 'a list', { apiKey: [] }, 'Give an object'],
    ['apiKey.header', 'empty', { apiKey: { header: '' } }, "Give a header name such as 'x-api-key'"],
    ['apiKey.header', 'null', { apiKey: { header: null } }, 'is null. Give a header name'],
    ['apiKey.header', 'no header name', { apiKey: { header: 'x api key' } }, "is 'x api key'. Give a header name"],
    ['apiKey.header', 'a header and a line', { apiKey: { header: 'x-api-key\r\nx: y' } }, 'Give a header name'],
    ['apiKey.header', 'too long', { apiKey: { header: 'x'.repeat(65) } }, 'Give a header name'],
    ['apiKey.header', 'Authorization', { apiKey: { header: 'Authorization' } }, 'set apiKey.bearer: true'],
    ['apiKey.header', 'Cookie', { apiKey: { header: 'Cookie' } }, 'Give a header name'],
    ['apiKey.header', 'Set-Cookie, which is a list', { apiKey: { header: 'set-cookie' } }, 'Give a header name'],
    ['apiKey.bearer', 'a text', { apiKey: { bearer: 'true' } }, "is 'true'. Give true or false"],
    ['apiKey.bearer', 'a number', { apiKey: { bearer: 1 } }, 'is of type number. Give true or false'],
    ['apiKey.prefix', 'empty', { apiKey: { prefix: '' } }, `is ''. ${LABEL_CURE}`],
    ['apiKey.prefix', 'in capitals', { apiKey: { prefix: 'KF' } }, `is 'KF'. ${LABEL_CURE}`],
    ['apiKey.prefix', 'with an underscore', { apiKey: { prefix: 'k_f' } }, LABEL_CURE],
    ['apiKey.prefix', 'with a digit first', { apiKey: { prefix: '1kf' } }, LABEL_CURE],
    ['apiKey.prefix', 'of 17 characters', { apiKey: { prefix: 'k'.repeat(17) } }, LABEL_CURE],
    ['apiKey.prefix', 'null', { apiKey: { prefix: null } }, LABEL_CURE],
    ['apiKey.environment', 'empty', { apiKey: { environment: '' } }, LABEL_CURE],
    ['apiKey.environment', 'with a hyphen', { apiKey: { environment: 'pre-prod' } }, LABEL_CURE],
    [
      'apiKey.environment',
      "'any', which is for keys of another origin",
      { apiKey: { environment: 'any' } },
      LABEL_CURE,
    ],
    ...['header', 'bearer', 'prefix', 'environment'].map((name): [string, string, object, string] => [
      `apiKey.${name}`,
      'configured and unset',
      { apiKey: { [name]: undefined } },
      'is undefined. Leave it out for the default. Is the environment variable set?',
    ]),
    ['apiKey.environment', 'a line', { apiKey: { environment: 'live\n' } }, LABEL_CURE],
    ['invalidKey', 'unknown', { invalidKey: 'allow' }, "is 'allow'. Give one of 'reject', 'ignore'"],
    ['invalidKey', 'null', { invalidKey: null }, "Give one of 'reject', 'ignore'"],
    ['guard', 'unknown', { guard: 'off' }, "is 'off'. Give one of 'global', 'manual'"],
    ['guard', 'false', { guard: false }, "is of type boolean. Give one of 'global', 'manual'"],
    ['guard', 'a name of Object', { guard: 'constructor' }, "Give one of 'global', 'manual'"],
    ['undeclaredRoutes', 'unknown', { undeclaredRoutes: 'allow' }, "Give one of 'deny', 'refuse-boot'"],
    ['middleware', 'false', { middleware: false }, 'Give an object'],
    ['tenantContext', 'a text', { tenantContext: 'false' }, "is 'false'. Give true or false"],
    ['tenantContext', 'null', { tenantContext: null }, 'is null. Give true or false'],
    ['middleware.mount', 'a text', { middleware: { mount: 'false' } }, "is 'false'. Give true or false"],
    ['middleware.missingKey', 'unknown', { middleware: { missingKey: 'ignore' } }, "Give one of 'defer', 'reject'"],
    [
      'middleware.exclude',
      'a text',
      { middleware: { exclude: 'health' } },
      "Give a list of routes, such as ['health']",
    ],
    ['middleware.exclude', 'a list of what is no route', { middleware: { exclude: [42] } }, 'Give a list of routes'],
    ['middleware.exclude', 'a list with nothing', { middleware: { exclude: [undefined] } }, 'Give a list of routes'],
    [
      'middleware.exclude',
      'a route without a path',
      { middleware: { exclude: [{ method: 0 }] } },
      'Give a list of routes',
    ],
    [
      'clientAddress',
      'a text',
      { clientAddress: 'x-forwarded-for' },
      'Give a function of the request that returns an address',
    ],
    ['clientAddress', 'null', { clientAddress: null }, 'Give a function'],
    ['allowInMemoryStore', 'a text', { allowInMemoryStore: 'yes' }, "is 'yes'. Give true or false"],
    ['files', 'a text', { files: '/srv' }, 'Give an object'],
    ['files', 'null', { files: null }, 'Give an object'],
    ['files.root', 'missing', { files: {} }, 'Is the environment variable that holds it set?'],
    ['files.root', 'empty', { files: { root: '' } }, "is ''. Give an absolute path"],
    ['files.root', 'a list', { files: { root: ['/srv'] } }, 'Give an absolute path'],
    [
      'files.rootFor',
      'a text',
      { files: { root: '/srv', rootFor: '/srv/:tenant' } },
      'Give a function of the tenant id',
    ],
    ['files.readOnly', 'a text', { files: { root: '/srv', readOnly: 'no' } }, 'Give true or false'],
    [
      'files.engine',
      'unknown',
      { files: { root: '/srv', engine: 'none' } },
      "Give one of 'auto', 'openat2', 'procfs', 'portable'",
    ],
    [
      'files.requireStrictness',
      'unknown',
      { files: { root: '/srv', requireStrictness: 'high' } },
      "Give 'kernel', 'procfs'",
    ],
  ];

  it.each(WRONG)('%s that is %s stops the boot with a message that says so', (option, _what, value, said) => {
    expect(() => resolve(value)).toThrow(
      expect.objectContaining({
        name: 'KeyfenceConfigurationError',
        option,
        message: expect.stringContaining(said),
      }),
    );
    expect(() => resolve(value)).toThrow(`Keyfence: ${option} `);
  });

  it.each([
    ['stores', { stores: store }, 'There are: store, apiKey,'],
    ['apiKey.name', { apiKey: { name: 'x-api-key' } }, 'There are: header, bearer, prefix, environment,'],
    ['apiKey.Header', { apiKey: { Header: 'x-api-key' } }, 'There are: header,'],
    ['files.path', { files: { root: '/srv', path: '/srv' } }, 'There are: root, rootFor,'],
    ['middleware.mounted', { middleware: { mounted: false } }, 'There are: mount, missingKey, exclude.'],
    ['cache.max', { cache: { max: 5 } }, 'There are: ttl, negativeTtl, maxEntries, bus.'],
    ['apiKey.peppers.v1', { apiKey: { peppers: { v1: 'a' } } }, 'There are: current, secrets.'],
  ])('%s is no option, and the message lists those there are', (option, value, said) => {
    expect(() => resolve(value)).toThrow(
      expect.objectContaining({
        option,
        message: expect.stringContaining(`Keyfence: ${option} is no option. ${said}`),
      }),
    );
  });

  it.each([[undefined], [null], ['options'], [[]], [5]])('options that are %p stop the boot', (options) => {
    expect(() => resolveOptions(options as unknown as KeyfenceOptions)).toThrow(
      expect.objectContaining({
        name: 'KeyfenceConfigurationError',
        message: expect.stringMatching(/KeyfenceModule\.forRoot\(options\).*Give an object/),
      }),
    );
  });

  it('is shown by its type and not by its content, if it is no text', () => {
    const secret = { password: 'sentinel-0123456789' };
    for (const options of [{ store: secret }, { apiKey: { header: secret } }, { guard: secret }]) {
      expect(() => resolve(options)).toThrow('is of type object');
      expect(() => resolve(options)).not.toThrow('sentinel');
    }
  });

  it('is a __proto__ that a parser made a property', () => {
    const hostile = JSON.parse('{"__proto__":{"guard":"manual"}}') as object;
    expect(() => resolve({ ...hostile })).toThrow('Keyfence: __proto__ is no option.');
  });
});

describe('peppers', () => {
  const LONG = 'a-pepper-of-thirty-two-characters'.slice(0, 32);
  const SECRET = 'deadbeef'.repeat(4);
  const SHORT = LONG.slice(0, 31);

  function digesterOf(peppers: unknown): { readonly version: string } {
    return resolve({ apiKey: { peppers } }).apiKey.digester;
  }

  it('make digests of the version that is named', () => {
    expect(digesterOf({ current: '2', secrets: { '1': LONG, '2': `${LONG}2` } }).version).toBe('hmac-sha256:2');
    expect(digesterOf({ current: 'a.b-C_1', secrets: { 'a.b-C_1': LONG } }).version).toBe('hmac-sha256:a.b-C_1');
  });

  it('are none by default, and nothing is made up in their place', () => {
    expect(resolve({}).apiKey.digester.version).toBe('sha256');
    expect(resolve({ apiKey: {} }).apiKey.digester.version).toBe('sha256');
  });

  it.each<[string, unknown, string, string]>([
    ['configured and unset', undefined, 'apiKey.peppers', 'Is the environment variable set?'],
    ['null', null, 'apiKey.peppers', 'Give an object'],
    ['a text', LONG, 'apiKey.peppers', 'Give an object'],
    ['a list', [LONG], 'apiKey.peppers', 'Give an object'],
    ['an empty object', {}, 'apiKey.peppers.current', 'is none of the versions'],
    ['without secrets', { current: '1' }, 'apiKey.peppers.current', 'is none of the versions'],
    ['without any secret', { current: '1', secrets: {} }, 'apiKey.peppers.current', 'is none of the versions'],
    ['without a current one', { secrets: { '1': LONG } }, 'apiKey.peppers.current', 'is none of the versions'],
    [
      'of another current one',
      { current: '2', secrets: { '1': LONG } },
      'apiKey.peppers.current',
      'is none of the versions',
    ],
    [
      'of a current number',
      { current: 1, secrets: { '1': LONG } },
      'apiKey.peppers.current',
      'is none of the versions',
    ],
    [
      'of an inherited current one',
      { current: 'toString', secrets: { '1': LONG } },
      'apiKey.peppers.current',
      'is none of the versions',
    ],
    ['empty', { current: '1', secrets: { '1': '' } }, 'apiKey.peppers.secrets, number 1', 'is empty, unset or shorter'],
    ['unset', { current: '1', secrets: { '1': undefined } }, 'apiKey.peppers.secrets, number 1', 'is empty, unset or'],
    ['null inside', { current: '1', secrets: { '1': null } }, 'apiKey.peppers.secrets, number 1', 'is empty, unset or'],
    [
      'short',
      { current: '1', secrets: { '1': SHORT } },
      'apiKey.peppers.secrets, number 1',
      'shorter than 32 characters',
    ],
    [
      'bytes',
      { current: '1', secrets: { '1': Buffer.alloc(32) } },
      'apiKey.peppers.secrets, number 1',
      'is empty, unset or',
    ],
    [
      'short, though it is not the current one',
      { current: '2', secrets: { '1': SHORT, '2': LONG } },
      'apiKey.peppers.secrets, number 1',
      'openssl rand -base64 32',
    ],
    [
      'of an empty version',
      { current: '', secrets: { '': LONG } },
      'apiKey.peppers.secrets, number 1',
      'Name versions',
    ],
    [
      'of a version with a colon',
      { current: 'a:b', secrets: { 'a:b': LONG } },
      'apiKey.peppers.secrets, number 1',
      'Name versions',
    ],
    [
      'of a version that is too long',
      { current: 'v'.repeat(17), secrets: { ['v'.repeat(17)]: LONG } },
      'apiKey.peppers.secrets, number 1',
      'Name versions',
    ],
    [
      'with the secret for a version',
      { current: SECRET, secrets: { [SECRET]: LONG } },
      'apiKey.peppers.secrets, number 1',
      'Name versions',
    ],
    [
      'with the secret as the current one',
      { current: SECRET, secrets: { '1': SECRET } },
      'apiKey.peppers.current',
      'Name the version',
    ],
    ['of blanks', { current: '1', secrets: { '1': ' '.repeat(40) } }, 'apiKey.peppers.secrets, number 1', 'is empty'],
    [
      'with a word more',
      { current: '1', secrets: { '1': LONG }, previous: '0' },
      'apiKey.peppers.previous',
      'There are:',
    ],
  ])('%s stop the boot with a message that shows no pepper', (_what, peppers, option, said) => {
    let thrown: unknown;
    try {
      digesterOf(peppers);
    } catch (error) {
      thrown = error;
    }
    expect(thrown).toMatchObject({
      name: 'KeyfenceConfigurationError',
      option,
      message: expect.stringContaining(said),
    });
    const { message } = thrown as Error;
    if (peppers !== LONG) expect(message).not.toContain(SHORT);
    expect(message).not.toContain(SECRET);
  });

  it('of 32 characters are long enough (control)', () => {
    expect(LONG).toHaveLength(32);
    expect(() => digesterOf({ current: '1', secrets: { '1': LONG } })).not.toThrow();
  });
});

describe('the cache', () => {
  it.each<[unknown, unknown]>([
    [undefined, { ttl: 30_000, negativeTtl: 5_000, maxEntries: 10_000 }],
    [{}, { ttl: 30_000, negativeTtl: 5_000, maxEntries: 10_000 }],
    [false, undefined],
    [{ ttl: '1m' }, { ttl: 60_000, negativeTtl: 5_000, maxEntries: 10_000 }],
    [
      { ttl: 0, negativeTtl: 0, maxEntries: 1 },
      { ttl: 0, negativeTtl: 0, maxEntries: 1 },
    ],
    [
      { ttl: '1h', negativeTtl: 3_600_000, maxEntries: 1_000_000 },
      { ttl: 3_600_000, negativeTtl: 3_600_000, maxEntries: 1_000_000 },
    ],
  ])('%j is %j', (cache, expected) => {
    expect(resolve({ cache }).apiKey.cache).toEqual(expected);
  });

  it('takes a bus, and has none by default', () => {
    const bus = new InProcessInvalidationBus();
    expect(resolve({ cache: { bus } }).apiKey.bus).toBe(bus);
    expect(resolve({ cache: {} }).apiKey.bus).toBeUndefined();
    expect(resolve({ cache: false }).apiKey.bus).toBeUndefined();
  });

  it.each<[string, string, unknown, string]>([
    ['cache', 'true', true, 'Give an object'],
    ['cache', 'null', null, 'is null. Give an object'],
    ['cache', 'a text', '30s', 'Give an object'],
    ['cache', 'a list', [], 'Give an object'],
    ['cache.ttl', 'no duration', { ttl: '30 seconds' }, "is '30 seconds'. Give at most an hour"],
    ['cache.ttl', 'negative', { ttl: -1 }, 'Give at most an hour'],
    ['cache.ttl', 'endless', { ttl: Infinity }, 'Give at most an hour'],
    ['cache.ttl', 'no number', { ttl: NaN }, 'Give at most an hour'],
    ['cache.ttl', 'more than an hour', { ttl: 3_600_001 }, 'Give at most an hour'],
    ['cache.ttl', 'a day', { ttl: '1d' }, 'Give at most an hour'],
    ['cache.ttl', 'null', { ttl: null }, 'is null. Give at most an hour'],
    ['cache.ttl', 'configured and unset', { ttl: undefined }, 'Is the environment variable set?'],
    ['cache.negativeTtl', 'more than an hour', { negativeTtl: '61m' }, 'Give at most an hour'],
    ['cache.maxEntries', 'none', { maxEntries: 0 }, 'Give a whole number from 1 to 1000000'],
    ['cache.maxEntries', 'a text', { maxEntries: '10' }, 'Give a whole number'],
    ['cache.maxEntries', 'a fraction', { maxEntries: 1.5 }, 'Give a whole number'],
    ['cache.maxEntries', 'endless', { maxEntries: Infinity }, 'Give a whole number'],
    ['cache.maxEntries', 'too many', { maxEntries: 1_000_001 }, 'Give a whole number'],
    ['cache.bus', 'a URL', { bus: 'redis://localhost' }, 'Give a KeyInvalidationBus'],
    ['cache.bus', 'an object that listens to nothing', { bus: {} }, 'Give a KeyInvalidationBus'],
    ['cache.bus', 'null', { bus: null }, 'Give a KeyInvalidationBus'],
    ['cache.max', 'unknown', { max: 5 }, 'is no option. There are: ttl, negativeTtl, maxEntries, bus.'],
  ])('with %s that is %s stops the boot with a message that says so', (option, _what, cache, said) => {
    expect(() => resolve({ cache })).toThrow(
      expect.objectContaining({
        name: 'KeyfenceConfigurationError',
        option,
        message: expect.stringContaining(said),
      }),
    );
  });
});

describe('apiKey.exposeKeyToHandlers', () => {
  it.each([true, false])('is kept: %j', (exposeKeyToHandlers) => {
    expect(resolve({ apiKey: { exposeKeyToHandlers } }).apiKey).toMatchObject({ exposeKeyToHandlers });
  });

  it.each(['true', 1, null, undefined])('%j stops the boot', (exposeKeyToHandlers) => {
    expect(() => resolve({ apiKey: { exposeKeyToHandlers } })).toThrow(
      expect.objectContaining({ name: 'KeyfenceConfigurationError', option: 'apiKey.exposeKeyToHandlers' }),
    );
  });
});
