import { describe, expect, it } from '@jest/globals';
import { filesIn, manifest, readText } from './package-files.js';
import { runNode } from './run-node.js';

/** Packages that an application may not have, and that must not be loaded for it. */
const NOT_LOADED = ['koffi', '@nestjs/websockets', '@nestjs/microservices'];

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

function loadedOnDemand(): string[] {
  const imports = filesIn('dist/esm', '.js').flatMap((file) => [
    ...readText(file).matchAll(/\bimport\('((?:@[^/']+\/)?[^/'.][^/']*)/g),
  ]);
  return [...new Set(imports.map(([, name = '']) => name))];
}

function isOptionalPeer(name: string): boolean {
  return name in manifest.peerDependencies && manifest.peerDependenciesMeta[name]?.optional === true;
}
