import { describe, expect, it } from '@jest/globals';
import { InMemoryApiKeyStore } from '../src/api-key/in-memory-api-key.store.js';
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
      },
      files: undefined,
      scope: { guard: 'global', undeclaredRoutes: 'deny' },
      middleware: { mount: true, exclude: [] },
    });
  });

  it('takes undefined for not given', () => {
    const unset = {
      apiKey: undefined,
      invalidKey: undefined,
      files: undefined,
      guard: undefined,
      middleware: { mount: undefined, missingKey: undefined, exclude: undefined },
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
    ['apiKey.name', { apiKey: { name: 'x-api-key' } }, 'There are: header, bearer, prefix, environment.'],
    ['apiKey.Header', { apiKey: { Header: 'x-api-key' } }, 'There are: header,'],
    ['files.path', { files: { root: '/srv', path: '/srv' } }, 'There are: root, rootFor,'],
    ['middleware.mounted', { middleware: { mounted: false } }, 'There are: mount, missingKey, exclude.'],
    ['cache', { cache: false }, 'There are: store,'],
    ['apiKey.peppers', { apiKey: { peppers: {} } }, 'There are: header,'],
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
