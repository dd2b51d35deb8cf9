import { describe, expect, it } from '@jest/globals';
import { readText } from './package-files.js';
import { runNode } from './run-node.js';

/** What the main entry promises that exists at run time. */
const VALUES = [
  'ApiKeySecret',
  'ApiKeyService',
  'ApiKeyStore',
  'ApiKeyValidationMiddleware',
  'CurrentPrincipal',
  'CurrentTenant',
  'FileService',
  'InMemoryApiKeyStore',
  'KeyfenceModule',
  'ManagedApiKeyStore',
  'NoHostEscapePipe',
  'RequireAnyScope',
  'RequireApiKey',
  'RequireScopes',
  'ScopedKeyGuard',
  'ScopesByMethod',
  'SkipApiKey',
  'TenantContext',
  'TenantDirectory',
  'TenantFile',
  'TenantFiles',
  'TenantPath',
  'pinoRedaction',
  'redactKeys',
  'secretScannerRules',
  'validateNoHostEscape',
];

/** What exists for the compiler alone. */
const TYPES = ['ApiKeyRecord', 'FileStat', 'KeyfenceOptions', 'Principal', 'Scope', 'TenantId'];

/** All that the other entries export: to the compiler, and of that at run time. */
const SUBPATHS = [
  {
    subpath: 'testing',
    folder: 'testing',
    values: ['Clock', 'FakeClock', 'actingAs', 'apiKeyStoreContract', 'createTestKey'],
    types: ['ActingKey', 'ApiKeyStoreSubject', 'ApplicationUnderTest', 'ContractCase', 'TestKey', 'TestKeyOptions'],
  },
  {
    subpath: 'sqlite',
    folder: 'stores/sqlite',
    values: ['SQLITE_MIGRATIONS', 'SqliteApiKeyStore'],
    types: ['SqliteDriverName', 'SqliteMigration', 'SqliteOptions'],
  },
  {
    subpath: 'postgres',
    folder: 'stores/postgres',
    values: ['POSTGRES_MIGRATIONS', 'PostgresApiKeyStore', 'PostgresInvalidationBus', 'postgresMigrations'],
    types: [
      'PostgresApiKeyStoreOptions',
      'PostgresClient',
      'PostgresInvalidationBusOptions',
      'PostgresMigration',
      'PostgresNotification',
      'PostgresPool',
      'PostgresQuery',
      'PostgresResult',
      'PostgresTableOptions',
    ],
  },
  {
    subpath: 'redis',
    folder: 'stores/redis',
    values: ['RedisApiKeyStore', 'RedisInvalidationBus'],
    types: [
      'IoRedisClient',
      'NodeRedisClient',
      'NodeRedisCluster',
      'RedisApiKeyStoreOptions',
      'RedisClient',
      'RedisInvalidationBusOptions',
    ],
  },
] as const;

const NAMES_OF_ESM = "const names = Object.keys(await import('nestjs-keyfence')); console.log(JSON.stringify(names));";
const NAMES_OF_CJS = "console.log(JSON.stringify(Object.keys(require('./dist/cjs/index.js'))));";

function namesPrintedBy(type: 'module' | 'commonjs', code: string): string[] {
  const { status, stdout, stderr } = runNode(type, code);
  if (status !== 0) throw new Error(stderr);
  return JSON.parse(stdout) as string[];
}

describe('the main entry', () => {
  const esm = namesPrintedBy('module', NAMES_OF_ESM);
  const cjs = namesPrintedBy('commonjs', NAMES_OF_CJS);

  it.each([
    ['ESM', esm],
    ['CommonJS', cjs],
  ])('exports every promised name as %s', (_kind, names) => {
    expect(VALUES.filter((name) => !names.includes(name))).toEqual([]);
  });

  it('exports the same from both builds', () => {
    expect(cjs.toSorted()).toEqual(esm.toSorted());
  });

  it.each(['dist/esm/index.d.ts', 'dist/cjs/index.d.ts'])('declares every promised name in %s', (file) => {
    const declared: readonly string[] = readText(file).match(/\w+/g) ?? [];
    expect([...VALUES, ...TYPES].filter((name) => !declared.includes(name))).toEqual([]);
  });

  it('gives the same classes to import and to require', () => {
    const code = `
      import { createRequire } from 'node:module';
      import * as imported from 'nestjs-keyfence';
      const required = createRequire(process.cwd() + '/here.js')('nestjs-keyfence');
      console.log(Object.keys(imported).filter((name) => imported[name] !== required[name]).join());`;
    expect(runNode('module', code)).toEqual({ status: 0, stdout: '', stderr: '' });
  });
});

describe.each(SUBPATHS)('the entry $subpath', ({ subpath, folder, values, types }) => {
  const specifier = `nestjs-keyfence/${subpath}`;

  it('exports these names and no others, as ESM and as CommonJS', () => {
    const print = 'console.log(JSON.stringify(Object.keys(entry)))';
    const esm = namesPrintedBy('module', `const entry = await import('${specifier}'); ${print};`);
    const cjs = namesPrintedBy('commonjs', `const entry = require('./dist/cjs/${folder}/index.js'); ${print};`);
    expect(esm.toSorted()).toEqual(values.toSorted());
    expect(cjs.toSorted()).toEqual(values.toSorted());
  });

  it.each(['esm', 'cjs'])('declares these names and no others in dist/%s', (build) => {
    const text = readText(`dist/${build}/${folder}/index.d.ts`);
    const lists = [...text.matchAll(/export (?:type )?\{([^}]*)\}/g)].map(([, list = '']) => list);
    const declared = lists.flatMap((list) => list.replaceAll(/\btype\b/g, '').match(/\w+/g) ?? []);
    expect(declared.toSorted()).toEqual([...values, ...types].toSorted());
  });

  it('gives the same classes to import and to require, and those of the main entry', () => {
    const code = `
      import { createRequire } from 'node:module';
      import * as imported from '${specifier}';
      import { ManagedApiKeyStore, KeyInvalidationBus } from 'nestjs-keyfence';
      const required = createRequire(process.cwd() + '/here.js')('${specifier}');
      console.log(Object.keys(imported).filter((name) => imported[name] !== required[name]).join());
      const parents = { ApiKeyStore: ManagedApiKeyStore, InvalidationBus: KeyInvalidationBus };
      for (const [name, value] of Object.entries(imported)) {
        const parent = Object.entries(parents).find(([ending]) => name.endsWith(ending))?.[1];
        if (parent !== undefined && !(value.prototype instanceof parent)) console.log(name + ' is another kind');
      }`;
    expect(runNode('module', code)).toEqual({ status: 0, stdout: '', stderr: '' });
  });
});
