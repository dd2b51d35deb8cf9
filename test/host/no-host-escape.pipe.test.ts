import { rmSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { Controller, ForbiddenException, Get, Module, Query, type INestApplication } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { NoHostEscapePipe } from '../../src/host/no-host-escape.pipe.js';
import type { HostPath } from '../../src/host/validate-no-host-escape.js';
import { plantTree, symlink, temporaryDirectory } from '../support/file-tree.js';

const base = temporaryDirectory();
const allowed = join(base, 'allowed');
await plantTree(base, { allowed: { file: '', link: symlink('../secret') }, secret: '' });
const handled = jest.fn<(path: string) => void>();

@Controller()
class ExportsController {
  @Get('own')
  own(@Query('path', new NoHostEscapePipe([allowed])) path: HostPath): string {
    handled(path);
    return path;
  }

  /** Made by Nest, without arguments. */
  @Get('default')
  standard(@Query('path', NoHostEscapePipe) path: HostPath): string {
    handled(path);
    return path;
  }
}

@Module({ controllers: [ExportsController] })
class AppModule {}

let app: INestApplication;
let origin: string;

beforeAll(async () => {
  app = await NestFactory.create(AppModule, { logger: false });
  await app.listen(0, '127.0.0.1');
  const { port } = (app.getHttpServer() as { address(): AddressInfo }).address();
  origin = `http://127.0.0.1:${port}`;
});
beforeEach(() => {
  handled.mockClear();
});
afterAll(async () => {
  await app.close();
  rmSync(base, { recursive: true, force: true });
});

async function get(route: string, query: string): Promise<{ status: number; text: string }> {
  const response = await fetch(`${origin}/${route}?${query}`);
  return { status: response.status, text: await response.text() };
}

describe('NoHostEscapePipe', () => {
  it('hands the resolved path to the handler', async () => {
    const { status, text } = await get('own', `path=${encodeURIComponent(`${allowed}/./x/../file`)}`);
    expect({ status, text }).toEqual({ status: 200, text: join(allowed, 'file') });
    expect(handled).toHaveBeenCalledWith(join(allowed, 'file'));
  });

  it('uses the default prefixes where Nest makes it', async () => {
    expect(await get('default', 'path=/sandbox/tenants/a')).toMatchObject({ status: 200 });
    expect(await get('default', `path=${allowed}/file`)).toMatchObject({ status: 403 });
  });

  it.each([
    `path=${allowed}/../secret`,
    `path=${allowed}/link`,
    `path=${allowed}-2/file`,
    `path=${encodeURIComponent(`${allowed}/%2e%2e/secret`)}`,
    `path=${encodeURIComponent(encodeURIComponent(`${allowed}/../secret`))}`,
    'path=/etc/passwd',
    'path=../../etc/passwd',
    'path=',
    'path=%00',
  ])('?%s is answered 403 path_escape, without the path, and the handler does not run', async (query) => {
    const { status, text } = await get('own', query);
    expect(status).toBe(403);
    expect(JSON.parse(text)).toEqual({
      statusCode: 403,
      error: 'Forbidden',
      message: 'The path is not allowed.',
      errorCode: 'path_escape',
    });
    expect(handled).not.toHaveBeenCalled();
  });

  it.each([
    'other=1',
    '',
    `path=${allowed}/file&path=${allowed}/file`,
    `path[]=${allowed}/file`,
    `path[a]=${allowed}/file`,
  ])('?%s, which is no text, is answered 400 invalid_path, and the handler does not run', async (query) => {
    const { status, text } = await get('own', query);
    expect(status).toBe(400);
    expect(JSON.parse(text)).toMatchObject({ errorCode: 'invalid_path' });
    expect(handled).not.toHaveBeenCalled();
  });

  it('refuses prefixes that are not absolute when it is made, not when it is used', () => {
    expect(() => new NoHostEscapePipe(['exports'])).toThrow('allowedPrefixes holds what is no absolute path');
  });

  it('throws what Nest knows as a ForbiddenException', () => {
    expect(() => new NoHostEscapePipe([allowed]).transform('/etc/passwd')).toThrow(ForbiddenException);
  });
});
