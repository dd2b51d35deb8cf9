import { Controller, Get, Head, Injectable, Post, VersioningType } from '@nestjs/common';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { InMemoryApiKeyStore } from '../../src/api-key/in-memory-api-key.store.js';
import { KeyfenceModule } from '../../src/keyfence.module.js';
import type { KeyfenceOptions } from '../../src/options.js';
import { RequireScopes, SkipApiKey } from '../../src/scope/require-scopes.decorator.js';
import { TenantContext } from '../../src/tenant/tenant-context.service.js';
import { PLATFORMS, startApp, type AppSettings, type TestApp } from '../support/adapters.js';
import { composeKey, storedKey } from '../support/sample-key.js';

@Injectable()
class Journal {
  readonly runs: string[] = [];
}

@Controller('files')
@RequireScopes('files:read')
class FilesController {
  constructor(private readonly journal: Journal) {}

  @Get()
  list(): string {
    return this.#run('list');
  }

  @Get('deep/er')
  deep(): string {
    return this.#run('deep');
  }

  @Get('v')
  versioned(): string {
    return this.#run('v');
  }

  @Head('head')
  head(): void {
    this.#run('head');
  }

  @Post(':name')
  rest(): string {
    return this.#run('rest');
  }

  /** Who calls must be known in every handler that runs, whatever way the request took. */
  #run(name: string): string {
    this.journal.runs.push(name);
    return TenantContext.current().tenantId;
  }
}

@Controller({ path: 'files', version: '2' })
@RequireScopes('files:read')
class FilesV2Controller {
  constructor(private readonly journal: Journal) {}

  @Get('two')
  two(): string {
    this.journal.runs.push('two');
    return TenantContext.current().tenantId;
  }
}

@Controller('public')
@SkipApiKey()
class PublicController {
  @Get()
  get(): string {
    return 'public';
  }
}

@Controller()
@RequireScopes('files:read')
class RootController {
  constructor(private readonly journal: Journal) {}

  @Get()
  root(): string {
    this.journal.runs.push('root');
    return TenantContext.current().tenantId;
  }
}

interface UrlApp extends TestApp {
  readonly key: string;
  readonly runs: string[];
}

type Platform = (typeof PLATFORMS)[number];

async function start(
  platform: Platform,
  options: Partial<KeyfenceOptions> = {},
  settings: AppSettings = {},
): Promise<UrlApp> {
  const store = new InMemoryApiKeyStore();
  const key = await storedKey(store, { scopes: ['files:read'] });
  const started = await startApp(
    platform,
    {
      imports: [KeyfenceModule.forRoot({ store, ...options })],
      controllers: [PublicController, FilesV2Controller, FilesController, RootController],
      providers: [Journal],
    },
    settings,
  );
  return Object.assign(started, { key, runs: started.app.get(Journal).runs });
}

/** Ways to write a target that a path-scoped middleware has missed somewhere. */
const TARGETS = [
  'GET /files',
  'GET /files/',
  'GET //files',
  'GET ///files',
  'GET /files//',
  'GET /%66iles',
  'GET /%66%69%6c%65%73',
  'GET /%2566iles',
  'GET /files;x=1',
  'GET /files;',
  'GET /;x=1/files',
  'GET /FILES',
  'GET /Files/',
  'GET /files?a=1',
  'GET /files?',
  'GET /files??public',
  'GET /files%3f',
  'GET /files%2f',
  'GET /files%00',
  'GET /./files',
  'GET /public/../files',
  'GET /public/%2e%2e/files',
  'GET /public/..%2ffiles',
  'GET /public;/../files',
  'GET /files/../files',
  'GET /files/.',
  'GET /files/deep/er',
  'GET /files/deep//er',
  'GET /files/deep%2Fer',
  'GET /files\\deep\\er',
  'GET /files/v',
  'GET http://127.0.0.1/files',
  'GET http://127.0.0.1:80/files',
  'GET http://elsewhere.example/files',
  'GET HTTP://127.0.0.1/files',
  'GET http://127.0.0.1//files',
  'GET http://127.0.0.1/%66iles',
  'GET http://user:pass@127.0.0.1/files',
  'GET https://127.0.0.1/files',
  'GET http:/files',
  'HEAD /files',
  'HEAD /%66iles',
  'HEAD http://127.0.0.1/files',
  'HEAD /files/head',
  'GET /files/head',
  'OPTIONS /files',
  'OPTIONS *',
  'POST /files/anything',
  'POST /files/b%2fc',
  'POST /%66iles/public',
  'PUT /files',
  'TRACE /files',
  'PROPFIND /files',
  'GET /',
  'GET //',
  'GET /?public',
  'GET http://127.0.0.1',
  'GET http://127.0.0.1/',
] as const;

/** Those of them that reach a handler with a key, on one platform at least: so many that the list is no empty threat. */
const REACHING_AT_LEAST = 12;

const CONFIGURATIONS: { name: string; options: Partial<KeyfenceOptions> }[] = [
  { name: 'middleware mounted', options: {} },
  { name: 'middleware that refuses a missing key', options: { middleware: { missingKey: 'reject' } } },
  { name: 'middleware passing these routes by', options: { middleware: { exclude: ['files', 'files/{*rest}'] } } },
  { name: 'no middleware', options: { middleware: { mount: false } } },
];

const TABLE = PLATFORMS.flatMap((platform) =>
  CONFIGURATIONS.map(({ name, options }) => ({ name: `${platform.name}, ${name}`, platform, options })),
);

describe.each(TABLE)('on $name', ({ platform, options }) => {
  let app: UrlApp;
  let reached = 0;

  beforeAll(async () => {
    app = await start(platform, options);
  });

  beforeEach(() => {
    app.runs.length = 0;
  });

  afterAll(async () => {
    await app.close();
    expect(reached).toBeGreaterThanOrEqual(REACHING_AT_LEAST);
  });

  it.each(TARGETS)('no handler runs without a key: %s', async (line) => {
    // Some targets are refused by the HTTP parser, which closes the connection: then nothing ran either.
    const bare = await app.send(line).catch(() => undefined);
    const bad = await app.send(line, { key: composeKey() }).catch(() => undefined);
    expect(app.runs).toEqual([]);
    expect(bare?.text ?? '').not.toContain('acme');
    const good = await app.send(line, { key: app.key }).catch(() => undefined);
    if (app.runs.length === 0) return;
    // The target leads to a handler, so that without a key it must have been refused and not merely missed.
    reached += 1;
    expect(bare?.status).toBe(401);
    expect(bad?.status).toBe(401);
    expect(good?.status).toBeLessThan(300);
    if (!line.startsWith('HEAD')) expect(good?.text).toBe('acme');
  });
});

describe.each(PLATFORMS)('with a global prefix and versions on $name', (platform) => {
  const SETTINGS: AppSettings = {
    configure: (app) => {
      app.setGlobalPrefix('api', { exclude: ['files/deep/er'] });
      app.enableVersioning({ type: VersioningType.URI });
    },
  };

  it.each([
    ['GET /api/files', 'list'],
    ['GET /api/v2/files/two', 'two'],
    ['GET http://127.0.0.1/api/v2/files/two', 'two'],
    ['GET /files/deep/er', 'deep'],
    ['GET /api', 'root'],
    ['POST /api/files/x', 'rest'],
    // These lead to the handler on one platform and nowhere on the other.
    ['GET /api/files/', undefined],
    ['GET /%61pi/files', undefined],
  ])('%s needs a key', async (line, handler) => {
    for (const options of [{}, { middleware: { mount: false } }]) {
      await using app = await start(platform, options, SETTINGS);
      const bare = await app.send(line);
      const bad = await app.send(line, { key: composeKey() });
      expect(app.runs).toEqual([]);
      const good = await app.send(line, { key: app.key });
      if (handler === undefined && app.runs.length === 0) {
        expect(good.status).toBe(404);
        continue;
      }
      expect(bare).toMatchObject({ status: 401, body: { errorCode: 'missing_credentials' } });
      expect(bad).toMatchObject({ status: 401, body: { errorCode: 'invalid_api_key' } });
      expect(app.runs).toEqual([handler ?? 'list']);
      expect(good.text).toBe('acme');
    }
  });
});

describe.each(PLATFORMS)('with header versions on $name', (platform) => {
  it('needs a key whatever the header says', async () => {
    await using app = await start(
      platform,
      {},
      {
        configure: (nest) => nest.enableVersioning({ type: VersioningType.HEADER, header: 'x-version' }),
      },
    );
    const headers = { 'x-version': '2' };
    expect(await app.send('GET /files/two', { headers })).toMatchObject({ status: 401 });
    expect(app.runs).toEqual([]);
    expect(await app.send('GET /files/two', { headers, key: app.key })).toMatchObject({ status: 200, text: 'acme' });
  });
});
