import { posix } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import { BUILDS, filesIn, manifest, readText } from './package-files.js';
import { runNode } from './run-node.js';

/** Packages that an application may not have, and that must not be loaded for it. */
const NOT_LOADED = [
  'koffi',
  '@nestjs/websockets',
  '@nestjs/microservices',
  '@nestjs/testing',
  'libsql',
  'pg',
  'ioredis',
  'redis',
];

const SUBPATHS = Object.keys(manifest.exports).flatMap((subpath) => {
  const [, name = ''] = /^\.\/(\w+)$/.exec(subpath) ?? [];
  return name === '' ? [] : [name];
});

/** Makes the packages impossible to find, for `import` and for `require`, in ESM and in CommonJS code. */
const HIDE = `
  const module = process.getBuiltinModule('node:module');
  const hidden = ${JSON.stringify(NOT_LOADED)};
  const isHidden = (specifier) => hidden.some((name) => specifier === name || specifier.startsWith(name + '/'));
  const resolveFilename = module._resolveFilename;
  module._resolveFilename = function (specifier, ...rest) {
    if (isHidden(specifier)) throw new Error('hidden package: ' + specifier);
    return resolveFilename.call(this, specifier, ...rest);
  };
  const hook = \`
    const isHidden = (specifier) => \${JSON.stringify(hidden)}.some((name) => specifier === name || specifier.startsWith(name + '/'));
    export async function resolve(specifier, context, next) {
      if (isHidden(specifier)) throw new Error('hidden package: ' + specifier);
      return next(specifier, context);
    }\`;
  if (module.registerHooks === undefined) module.register('data:text/javascript,' + encodeURIComponent(hook));
  else module.registerHooks({
    resolve(specifier, context, next) {
      if (isHidden(specifier)) throw new Error('hidden package: ' + specifier);
      return next(specifier, context);
    },
  });
`;

describe('loading the package', () => {
  it('loads no optional peer when it is imported', () => {
    const outcome = runNode('module', `${HIDE} await import('nestjs-keyfence');`);
    expect(outcome).toEqual({ status: 0, stdout: '', stderr: '' });
  });

  it('loads no optional peer when the CommonJS build is required', () => {
    const outcome = runNode('commonjs', `${HIDE} require('./dist/cjs/index.js');`);
    expect(outcome).toEqual({ status: 0, stdout: '', stderr: '' });
  });

  it.each(SUBPATHS)('loads none of them when %s is imported or required', (name) => {
    const imported = runNode('module', `${HIDE} await import('nestjs-keyfence/${name}');`);
    expect(imported).toEqual({ status: 0, stdout: '', stderr: '' });
    const required = runNode('commonjs', `${HIDE} require('./dist/cjs/${folderOf(name)}/index.js');`);
    expect(required).toEqual({ status: 0, stdout: '', stderr: '' });
  });

  it.each(NOT_LOADED)('would be caught loading %s', (name) => {
    const message: unknown = expect.stringContaining(`hidden package: ${name}`);
    expect(runNode('module', `${HIDE} await import('${name}');`)).toMatchObject({ status: 1, stderr: message });
    expect(runNode('commonjs', `${HIDE} require('${name}');`)).toMatchObject({ status: 1, stderr: message });
  });

  it('starts an application without them', () => {
    const outcome = runNode(
      'module',
      `${HIDE}
      const { Module } = await import('@nestjs/common');
      const { NestFactory } = await import('@nestjs/core');
      const { FileService, InMemoryApiKeyStore, KeyfenceModule } = await import('nestjs-keyfence');
      const options = { store: new InMemoryApiKeyStore(), files: { root: process.cwd(), readOnly: true } };
      class AppModule {}
      Module({ imports: [KeyfenceModule.forRoot(options)] })(AppModule);
      const app = await NestFactory.createApplicationContext(AppModule, { logger: ['error'], abortOnError: false });
      console.log(app.get(FileService).forTenant('test').strictness !== undefined);
      await app.close();`,
    );
    expect(outcome).toMatchObject({ status: 0, stdout: 'true' });
  });
});

describe('the manifest', () => {
  it('requires as peers what every application of Nest has', () => {
    const required = Object.keys(manifest.peerDependencies).filter((name) => !isOptionalPeer(name));
    expect(required.toSorted()).toEqual(['@nestjs/common', '@nestjs/core', 'reflect-metadata', 'rxjs']);
  });

  // pnpm and Yarn let a package load what it declares and nothing else.
  it.each(loadedOnDemand())('declares %s, which is loaded on demand, as an optional peer', (name) => {
    expect(isOptionalPeer(name)).toBe(true);
    expect(name in manifest.dependencies).toBe(false);
  });
});

/** Where an entry is in a build. */
function folderOf(name: string): string {
  const { require } = manifest.exports[`./${name}`] as { readonly require: { readonly default: string } };
  return posix.dirname(require.default).replace('./dist/cjs/', '');
}

/** The files of a build that one of them loads, with itself. */
function filesLoadedBy(file: string, loaded = new Set<string>()): ReadonlySet<string> {
  if (loaded.has(file)) return loaded;
  loaded.add(file);
  for (const [, module = ''] of readText(file).matchAll(/(?:from |require\(|import\(|import )["'](\.[^"']+)["']/g)) {
    filesLoadedBy(posix.join(posix.dirname(file), module), loaded);
  }
  return loaded;
}

describe.each(BUILDS)('the entries in dist/%s', (build) => {
  const folders = SUBPATHS.map((name) => `dist/${build}/${folderOf(name)}/`);

  it('are not loaded by the main one', () => {
    const loaded = [...filesLoadedBy(`dist/${build}/index.js`)];
    expect(loaded.length).toBeGreaterThan(50);
    expect(loaded.filter((file) => folders.some((folder) => file.startsWith(folder)))).toEqual([]);
  });

  it.each(SUBPATHS)('load no other: %s', (name) => {
    const own = `dist/${build}/${folderOf(name)}/`;
    const loaded = [...filesLoadedBy(`${own}index.js`)];
    const others = folders.filter((folder) => folder !== own);
    expect(loaded.filter((file) => others.some((folder) => file.startsWith(folder)))).toEqual([]);
    expect(loaded).not.toContain(`dist/${build}/index.js`);
    expect(loaded.filter((file) => file.startsWith(own)).length).toBeGreaterThan(1);
  });
});

function loadedOnDemand(): string[] {
  const imports = filesIn('dist/esm', '.js').flatMap((file) => [
    ...readText(file).matchAll(/\bimport\('((?:@[^/']+\/)?[^/'.][^/']*)/g),
  ]);
  return [...new Set(imports.map(([, name = '']) => name))];
}

function isOptionalPeer(name: string): boolean {
  return name in manifest.peerDependencies && manifest.peerDependenciesMeta[name]?.optional === true;
}
