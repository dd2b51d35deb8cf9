import { readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { Controller, Get, Injectable, Put, UseGuards, type CanActivate, type ExecutionContext } from '@nestjs/common';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { FILE_OPTIONS, type FileOptions } from '../../src/files/file-options.js';
import { FileService } from '../../src/files/file.service.js';
import type { TenantDirectory } from '../../src/files/tenant-directory.js';
import { TenantFiles, TenantPath } from '../../src/files/tenant-files.decorator.js';
import type { Principal } from '../../src/principal/principal.js';
import type { TenantId } from '../../src/principal/tenant-id.js';
import { admit, carrierOf } from '../../src/tenant/call.js';
import { PLATFORMS, startApp, type TestApp } from '../support/adapters.js';
import { plantTree, temporaryDirectory } from '../support/file-tree.js';

let paths: readonly string[] | undefined;

/** In the place of keys: lets everybody in, with the paths of the test. */
@Injectable()
class EveryoneGuard implements CanActivate {
  canActivate(context: ExecutionContext): boolean {
    const principal: Principal = { tenantId: 'acme' as TenantId, keyId: 'k', scopes: [], paths };
    const carrier = carrierOf(context);
    if (carrier !== undefined) admit(carrier, principal);
    return true;
  }
}

async function read(files: TenantDirectory, path: string): Promise<object> {
  return { text: await files.readFile(path, { encoding: 'utf8' }) };
}

async function write(files: TenantDirectory, path: string): Promise<object> {
  return { size: (await files.writeFile(path, 'overwritten')).size };
}

@UseGuards(EveryoneGuard)
class Lists {
  @Get('list')
  async list(@TenantFiles() files: TenantDirectory): Promise<string[]> {
    const found: string[] = [];
    for await (const { path } of files.list('', { recursive: true })) found.push(path);
    return found.sort();
  }
}

@Controller()
@UseGuards(EveryoneGuard)
class ExpressController extends Lists {
  @Get('files/*path')
  read(@TenantFiles() files: TenantDirectory, @TenantPath() path: string): Promise<object> {
    return read(files, path);
  }

  @Put('files/*path')
  write(@TenantFiles() files: TenantDirectory, @TenantPath() path: string): Promise<object> {
    return write(files, path);
  }
}

@Controller()
@UseGuards(EveryoneGuard)
class FastifyController extends Lists {
  @Get('files/*')
  read(@TenantFiles() files: TenantDirectory, @TenantPath() path: string): Promise<object> {
    return read(files, path);
  }

  @Put('files/*')
  write(@TenantFiles() files: TenantDirectory, @TenantPath() path: string): Promise<object> {
    return write(files, path);
  }
}

describe.each(PLATFORMS)('@TenantFiles() of a caller with paths, on $name', (platform) => {
  let app: TestApp;
  let root: string;

  beforeAll(async () => {
    root = temporaryDirectory();
    const options: FileOptions = { root, readOnly: false, engine: 'auto' };
    app = await startApp(platform, {
      controllers: [platform.name === 'fastify' ? FastifyController : ExpressController],
      providers: [FileService, { provide: FILE_OPTIONS, useValue: options }],
    });
  });
  beforeEach(async () => {
    // Not the directory itself: it is kept open.
    for (const name of ['reports', 'reports2']) rmSync(join(root, 'acme', name), { recursive: true, force: true });
    await plantTree(join(root, 'acme'), { reports: { 'q3.csv': 'granted' }, reports2: { x: 'not granted' } });
  });
  afterAll(async () => {
    await app.close();
    rmSync(root, { recursive: true });
  });

  it('reads and writes what is granted', async () => {
    paths = ['reports/**'];
    expect(await app.send('GET /files/reports/q3.csv')).toMatchObject({ status: 200, body: { text: 'granted' } });
    expect(await app.send('PUT /files/reports/new/file')).toMatchObject({ status: 200, body: { size: 11 } });
    expect(await app.send('GET /list')).toMatchObject({
      body: ['reports', 'reports/new', 'reports/new/file', 'reports/q3.csv'],
    });
  });

  it.each(['reports2/x', 'reports2/missing', 'reports2', 'missing', 'report', 'reports/../reports2/x'])(
    'is refused %s, with one answer',
    async (path) => {
      paths = ['reports/**'];
      for (const method of ['GET', 'PUT']) {
        expect(await app.send(`${method} /files/${path}`)).toMatchObject({
          status: 403,
          body: {
            statusCode: 403,
            error: 'Forbidden',
            message: 'The path is not allowed.',
            errorCode: 'path_escape',
          },
        });
      }
      expect(readFileSync(join(root, 'acme/reports2/x'), 'utf8')).toBe('not granted');
    },
  );

  it('reaches the rest too without paths (control)', async () => {
    paths = undefined;
    expect(await app.send('GET /files/reports2/x')).toMatchObject({ status: 200, body: { text: 'not granted' } });
    expect(await app.send('PUT /files/reports2/x')).toMatchObject({ status: 200 });
    expect(readFileSync(join(root, 'acme/reports2/x'), 'utf8')).toBe('overwritten');
  });

  it('reaches nothing with an empty list, and is an error of the application with a bad one', async () => {
    paths = [];
    expect(await app.send('GET /files/reports/q3.csv')).toMatchObject({ status: 403 });
    expect(await app.send('GET /list')).toMatchObject({ status: 200, body: [] });
    paths = ['**'];
    const answer = await app.send('GET /files/reports/q3.csv');
    expect(answer.status).toBe(500);
    expect(JSON.stringify(answer)).not.toContain('granted');
  });
});
