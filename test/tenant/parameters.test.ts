import { mkdtempSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Controller, Get, Req } from '@nestjs/common';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { InMemoryApiKeyStore } from '../../src/api-key/in-memory-api-key.store.js';
import type { TenantDirectory } from '../../src/files/tenant-directory.js';
import { TenantFiles, TenantPath } from '../../src/files/tenant-files.decorator.js';
import { KeyfenceModule } from '../../src/keyfence.module.js';
import type { Principal } from '../../src/principal/principal.js';
import { RequireApiKey, SkipApiKey } from '../../src/scope/require-scopes.decorator.js';
import { CurrentPrincipal, CurrentTenant } from '../../src/tenant/current-principal.decorator.js';
import { PLATFORMS, startApp, type TestApp } from '../support/adapters.js';
import { storedKey } from '../support/sample-key.js';

const runs: string[] = [];

class Whoami {
  @Get('whoami')
  whoami(
    @CurrentTenant() tenant: string,
    @CurrentPrincipal() principal: Principal,
    @Req() request: { tenantId?: string; raw?: { tenantId?: string } },
  ): object {
    runs.push('whoami');
    return {
      tenant,
      principal: { tenantId: principal.tenantId, scopes: principal.scopes, frozen: Object.isFrozen(principal) },
      request: request.tenantId,
      raw: (request.raw ?? request).tenantId,
    };
  }

  @Get('public')
  @SkipApiKey()
  open(@CurrentPrincipal() principal: Principal | undefined): object {
    runs.push('public');
    return { known: principal !== undefined };
  }

  @Get('public-files')
  @SkipApiKey()
  openFiles(@TenantFiles() files: TenantDirectory): object {
    runs.push('public-files');
    return { tenant: files.tenantId };
  }
}

@Controller()
class ExpressController extends Whoami {
  @Get('files/*path')
  @RequireApiKey()
  async read(@TenantFiles() files: TenantDirectory, @TenantPath() path: string): Promise<object> {
    runs.push('read');
    return { path, tenant: files.tenantId, text: await files.readFile(path, { encoding: 'utf8' }) };
  }
}

@Controller()
class FastifyController extends Whoami {
  @Get('files/*')
  @RequireApiKey()
  async read(@TenantFiles() files: TenantDirectory, @TenantPath() path: string): Promise<object> {
    runs.push('read');
    return { path, tenant: files.tenantId, text: await files.readFile(path, { encoding: 'utf8' }) };
  }
}

// `whoami` is inherited, so its requirement is set here for both.
RequireApiKey()(Whoami.prototype, 'whoami', { value: Reflect.get(Whoami.prototype, 'whoami') });

describe.each(PLATFORMS)('parameters of a handler on $name', (platform) => {
  let app: TestApp;
  let root: string;
  let acme: string;
  let globex: string;

  beforeAll(async () => {
    root = mkdtempSync(join(tmpdir(), 'keyfence-parameters-'));
    for (const tenant of ['acme', 'globex']) {
      mkdirSync(join(root, tenant, 'a'), { recursive: true });
      writeFileSync(join(root, tenant, 'a', 'b c.txt'), `of ${tenant}`);
      writeFileSync(join(root, tenant, 'plain.txt'), `plain of ${tenant}`);
    }
    const store = new InMemoryApiKeyStore();
    acme = await storedKey(store);
    globex = await storedKey(store, { tenantId: 'globex' });
    app = await startApp(platform, {
      imports: [KeyfenceModule.forRoot({ store, files: { root } })],
      controllers: [platform.name === 'fastify' ? FastifyController : ExpressController],
    });
  });

  beforeEach(() => {
    runs.length = 0;
  });

  afterAll(async () => {
    await app.close();
    rmSync(root, { recursive: true, force: true });
  });

  it('give tenant and principal, and set tenantId on both requests', async () => {
    expect((await app.send('GET /whoami', { key: acme })).body).toEqual({
      tenant: 'acme',
      principal: { tenantId: 'acme', scopes: ['files:read'], frozen: true },
      request: 'acme',
      raw: 'acme',
    });
  });

  it('give no principal to a public route without a key', async () => {
    expect((await app.send('GET /public')).body).toEqual({ known: false });
    expect((await app.send('GET /public', { key: acme })).body).toEqual({ known: true });
  });

  it('give no directory without a key', async () => {
    expect(await app.send('GET /public-files')).toMatchObject({
      status: 401,
      body: { errorCode: 'missing_credentials' },
    });
    expect(runs).toEqual([]);
    expect((await app.send('GET /public-files', { key: globex })).body).toEqual({ tenant: 'globex' });
  });

  it.each([
    ['/files/plain.txt', 'plain.txt', 'plain of '],
    ['/files/a/b%20c.txt', 'a/b c.txt', 'of '],
    ['/files/a/b%20c.txt?x=%2f', 'a/b c.txt', 'of '],
  ])('give the wildcard of %s as one path, in the directory of the caller', async (target, path, text) => {
    for (const [key, tenant] of [
      [acme, 'acme'],
      [globex, 'globex'],
    ]) {
      expect((await app.send(`GET ${target}`, { key })).body).toEqual({ path, tenant, text: `${text}${tenant}` });
    }
  });

  it.each([
    '/files/..%2fglobex/plain.txt',
    '/files/..%2Fglobex/plain.txt',
    '/files/a%2fb%20c.txt',
    '/files/a%5cb',
    '/files/%2e%2e%2fglobex%2fplain.txt',
  ])('refuse an encoded slash, which the platforms would take differently: %s', async (target) => {
    expect(await app.send(`GET ${target}`, { key: acme })).toMatchObject({
      status: 403,
      body: { errorCode: 'path_escape' },
    });
    expect(runs).toEqual([]);
  });

  it.each(['/files/../globex/plain.txt', '/files/a/../../globex/plain.txt', '/files/%2e%2e/globex/plain.txt'])(
    'lead to no other tenant: %s',
    async (target) => {
      const answer = await app.send(`GET ${target}`, { key: acme });
      expect([403, 404]).toContain(answer.status);
      expect(answer.text).not.toContain('of globex');
    },
  );
});
