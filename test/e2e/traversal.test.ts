import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Controller, Get, Module, type INestApplication, type Type } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { FastifyAdapter } from '@nestjs/platform-fastify';
import {
  InMemoryApiKeyStore,
  KeyfenceModule,
  RequireScopes,
  TenantFiles,
  TenantPath,
  type TenantDirectory,
} from '../../src/index.js';
import { rawRequest, type RawResponse } from './raw-request.js';

/** See fixtures/README.md for where it comes from. */
const STRINGS = readFileSync(fileURLToPath(new URL('../fixtures/traversal-strings.jsonl', import.meta.url)), 'utf8')
  .split('\n')
  .filter((line) => line !== '')
  .map((line) => (JSON.parse(line) as { s: string }).s);

const KEY = 'traversal-test-key-of-acme';
const INSIDE = 'INSIDE: a file of acme';
const OUTSIDE = 'OUTSIDE: nobody with this key may read it';
const IN_FLIGHT = 16;

const base = mkdtempSync(join(tmpdir(), 'keyfence-traversal-'));
const root = join(base, 'tenants');
mkdirSync(join(root, 'acme', 'deep', 'er'), { recursive: true });
mkdirSync(join(root, 'globex'));
writeFileSync(join(root, 'acme', 'inside.txt'), INSIDE);
for (const place of [base, root, join(root, 'globex')]) writeFileSync(join(place, 'secret.txt'), OUTSIDE);

/** Express names its wildcards and Fastify does not. */
function createAppModule(wildcard: '*path' | '*'): Type {
  @Controller('files')
  @RequireScopes('files:read')
  class FilesController {
    @Get(wildcard)
    read(@TenantFiles() files: TenantDirectory, @TenantPath() path: string): Promise<string> {
      return files.readFile(path, { encoding: 'utf8' });
    }
  }

  @Module({
    imports: [
      KeyfenceModule.forRoot({
        store: InMemoryApiKeyStore.fromKeys({ [KEY]: { tenantId: 'acme', scopes: ['files:read'] } }),
        files: { root },
      }),
    ],
    controllers: [FilesController],
  })
  class AppModule {}
  return AppModule;
}

/** Strings of our own that aim at the files planted here; the list aims at /etc/passwd and boot.ini. */
const AIMED = [
  '../secret.txt',
  '../../secret.txt',
  '../globex/secret.txt',
  'deep/../../secret.txt',
  'deep/er/../../../globex/secret.txt',
];
const ALL = [...STRINGS, ...AIMED];

const ENCODINGS: readonly (readonly [string, (text: string) => string])[] = [
  ['raw', (text) => text],
  ['percent-encoded', (text) => encodeURIComponent(text.toWellFormed())],
];

function leaks(body: string): boolean {
  return body.includes('OUTSIDE') || /root:[^:]*:0:0:/.test(body);
}

async function sendAll(port: number, encode: (text: string) => string): Promise<RawResponse[]> {
  const responses: RawResponse[] = [];
  const pending = ALL.map(encode);
  const worker = async (): Promise<void> => {
    for (let text = pending.pop(); text !== undefined; text = pending.pop()) {
      responses.push(await rawRequest(port, 'GET', `/files/${text}`, { 'x-api-key': KEY }));
    }
  };
  await Promise.all(Array.from({ length: IN_FLIGHT }, worker));
  return responses;
}

describe.each([
  ['express', () => NestFactory.create(createAppModule('*path'), { logger: false })],
  ['fastify', () => NestFactory.create(createAppModule('*'), new FastifyAdapter(), { logger: false })],
] as const)('traversal strings against a file route on %s', (_platform, create) => {
  let app: INestApplication;
  let port: number;

  beforeAll(async () => {
    app = await create();
    await app.listen(0, '127.0.0.1');
    port = (app.getHttpServer() as { address(): AddressInfo }).address().port;
  });
  afterAll(() => app.close());

  it('serves the file inside (control)', async () => {
    const { status, body } = await rawRequest(port, 'GET', '/files/inside.txt', { 'x-api-key': KEY });
    expect(status).toBe(200);
    expect(body).toContain(INSIDE);
  });

  it.each(ENCODINGS)(
    '%s: no byte from outside, no 5xx, no hang',
    async (_name, encode) => {
      const responses = await sendAll(port, encode);
      expect(responses).toHaveLength(ALL.length);
      expect(responses.filter(({ body }) => leaks(body))).toEqual([]);
      // A request line that is no HTTP at all may be cut off without an answer (status 0): nothing was served.
      expect(responses.filter(({ status }) => status >= 500 || (status >= 200 && status < 300))).toEqual([]);
      expect(responses.filter(({ body }) => body.includes('"errorCode":"path_escape"')).length).toBeGreaterThan(100);
    },
    120_000,
  );
});

describe('the same strings joined to the root, as much code does (control)', () => {
  it('read files outside', () => {
    const read = (text: string): string => {
      try {
        return readFileSync(join(root, 'acme', text), 'utf8');
      } catch {
        return '';
      }
    };
    expect(ALL.filter((text) => leaks(read(text))).length).toBeGreaterThan(10);
  });
});

afterAll(() => {
  rmSync(base, { recursive: true, force: true });
});
