// For a Node that has node:ffi: the strongest engine must work without the package koffi, which cannot be found here.
import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { registerHooks } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

registerHooks({
  resolve(specifier, context, next) {
    if (specifier !== 'koffi') return next(specifier, context);
    throw Object.assign(new Error("Cannot find package 'koffi'"), { code: 'ERR_MODULE_NOT_FOUND' });
  },
});
await assert.rejects(import('koffi'), { code: 'ERR_MODULE_NOT_FOUND' });

const { Module } = await import('@nestjs/common');
const { NestFactory } = await import('@nestjs/core');
const { FileService, InMemoryApiKeyStore, KeyfenceModule } = await import('nestjs-keyfence');

const root = mkdtempSync(join(tmpdir(), 'keyfence-ffi-'));
mkdirSync(join(root, 'acme'));
mkdirSync(join(root, 'globex'));
writeFileSync(join(root, 'acme', 'hello.txt'), 'Hello from acme.');
writeFileSync(join(root, 'globex', 'secret.txt'), 'globex only');
symlinkSync('../globex/secret.txt', join(root, 'acme', 'planted.txt'));

class AppModule {}
const store = new InMemoryApiKeyStore();
Module({ imports: [KeyfenceModule.forRoot({ store, files: { root, engine: 'openat2' } })] })(AppModule);
const app = await NestFactory.createApplicationContext(AppModule, { logger: ['error'] });
try {
  const files = app.get(FileService).forTenant('acme');
  assert.equal(files.strictness, 'kernel');
  assert.equal(await files.readFile('hello.txt', { encoding: 'utf8' }), 'Hello from acme.');
  await files.writeFile('notes/new.txt', 'new');
  assert.equal(await files.readFile('notes/new.txt', { encoding: 'utf8' }), 'new');
  assert.equal(readFileSync(join(root, 'acme', 'planted.txt'), 'utf8'), 'globex only');
  await assert.rejects(files.readFile('planted.txt'), { errorCode: 'path_escape' });
  await assert.rejects(files.readFile('absent.txt'), { errorCode: 'file_not_found' });
  console.log(`openat2 works through node:ffi on Node ${process.versions.node}, without koffi`);
} finally {
  await app.close();
  rmSync(root, { recursive: true });
}
