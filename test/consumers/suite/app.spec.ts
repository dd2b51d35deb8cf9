import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PathEscapeException, TenantContext, validateNoHostEscape } from 'nestjs-keyfence';
import { createApp, type RunningApp } from '../app/create-app.js';
import type { Platform } from '../app/platform.js';
import { get } from './get.js';
import { afterAll, beforeAll, describe, expect, it } from './test-api.js';

const PLATFORMS: readonly Platform[] = ['express', 'fastify'];

for (const platform of PLATFORMS) {
  describe(`an application on ${platform}`, () => {
    const root = mkdtempSync(join(tmpdir(), 'keyfence-suite-'));
    let running: RunningApp;
    // `afterAll` runs also if the application did not start.
    let stop = (): Promise<void> => Promise.resolve();

    beforeAll(async () => {
      running = await createApp(platform, root);
      stop = () => running.app.close();
    });

    afterAll(async () => {
      await stop();
      rmSync(root, { recursive: true });
    });

    it('answers a public route', async () => {
      expect((await get(running.url, '/health')).status).toBe(200);
    });

    it('refuses a request without a key', async () => {
      const { status, body } = await get(running.url, '/whoami');
      expect({ status, body: JSON.parse(body) as unknown }).toMatchObject({
        status: 401,
        body: { errorCode: 'missing_credentials' },
      });
    });

    it('knows the tenant of a key', async () => {
      const { status, body } = await get(running.url, '/whoami', running.keys.acme);
      expect({ status, body: JSON.parse(body) as unknown }).toEqual({
        status: 200,
        body: { tenantId: 'acme', scopes: ['files:read'] },
      });
    });

    it('reads the files of that tenant', async () => {
      const answer = await get(running.url, '/files/notes/hello.txt', running.keys.globex);
      expect(answer).toEqual({ status: 200, body: 'Hello from globex.' });
    });

    it('refuses a path out of that tenant', async () => {
      const { status, body } = await get(running.url, '/files/../acme/notes/hello.txt', running.keys.globex);
      expect({ status, body: JSON.parse(body) as unknown }).toMatchObject({
        status: 403,
        body: { errorCode: 'path_escape' },
      });
    });
  });
}

describe('the package in a test', () => {
  it('can be used without an application', () => {
    expect(() => TenantContext.current()).toThrow('outside a request');
    expect(() => validateNoHostEscape('/etc/passwd')).toThrow();
    expect(new PathEscapeException('traversal').errorCode).toBe('path_escape');
  });
});
