import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { isAvailable } from '../support/is-available.js';
import { RunningExample } from './running-example.js';

const run = promisify(execFile);
const KEYS = ['ACME_KEY', 'ACME_READ_KEY', 'GLOBEX_KEY'] as const;

describe.each(['quick-start', 'fastify'])('examples/%s', (name) => {
  const data = mkdtempSync(join(tmpdir(), 'keyfence-example-'));
  let example: RunningExample;

  beforeAll(async () => {
    example = await RunningExample.start(name, data);
  }, 30_000);
  afterAll(async () => {
    await example.stop();
    rmSync(data, { recursive: true, force: true });
  });

  it('prints its keys as shell assignments and READY with its address as the last line', () => {
    for (const key of KEYS) expect(example.variable(key)).toMatch(/^kflive_[0-9a-f]{16}_[0-9A-Za-z]{43}$/);
    expect(example.lines.at(-1)).toMatch(/^READY http:\/\/127\.0\.0\.1:\d+$/);
  });

  it('prints commands that give the answers it announces', async () => {
    expect(example.commands.length).toBeGreaterThanOrEqual(10);
    if (!isAvailable('curl', 'the commands that the example prints')) return;
    const env = Object.fromEntries(KEYS.map((key) => [key, example.variable(key)]));
    for (const { expectation, command } of example.commands) {
      const { stdout } = await run('sh', ['-c', command], { env: { PATH: process.env.PATH, ...env } });
      const announced = expectation.slice(expectation.indexOf(': ') + 2).replace(/^\d{3} (?=\w+_)/, '');
      if (expectation.includes(': '))
        expect({ command, stdout }).toEqual({ command, stdout: expect.stringContaining(announced) });
    }
  });

  it('serves /health to everybody and /whoami to any valid key', async () => {
    await expect((await example.request('/health')).json()).resolves.toEqual({ status: 'ok' });
    const stranger = await example.request('/whoami');
    expect(stranger.status).toBe(401);
    expect(await stranger.json()).toMatchObject({ errorCode: 'missing_credentials' });
    const reader = await example.request('/whoami', { key: example.variable('ACME_READ_KEY') });
    expect(await reader.json()).toMatchObject({ tenantId: 'acme', scopes: ['files:read'] });
  });

  it('keeps the tenants apart', async () => {
    const listed = async (key: string): Promise<string[]> =>
      ((await (await example.request('/files', { key })).json()) as { path: string }[]).map(({ path }) => path);
    const acme = await listed(example.variable('ACME_KEY'));
    const globex = await listed(example.variable('GLOBEX_KEY'));
    expect(acme).toEqual(expect.arrayContaining(['backup.bin', 'hello.txt', 'images/dot.png', 'reports/2026-q3.csv']));
    expect(globex).toEqual(expect.arrayContaining(['contracts/nda.txt', 'data.bin', 'hello.txt']));
    expect(acme).not.toContain('contracts/nda.txt');
    const other = await example.request('/files/contracts/nda.txt', { key: example.variable('ACME_KEY') });
    expect(other.status).toBe(404);
    expect(await other.json()).toMatchObject({ errorCode: 'file_not_found' });
  });

  it.each([
    ['text/plain', Buffer.from('text')],
    ['application/json', Buffer.from('{"not": "parsed"}')],
    ['application/octet-stream', Buffer.from([0, 255, 1, 254])],
    ['image/png', Buffer.alloc(3 * 1024 * 1024, 7)],
  ])('stores the raw bytes of a %s body, gives them back and removes them', async (type, bytes) => {
    const key = example.variable('ACME_KEY');
    const path = '/files/uploads/body.bin';
    const put = await fetch(example.url + path, {
      method: 'PUT',
      body: bytes,
      headers: { 'x-api-key': key, 'content-type': type },
    });
    expect(await put.json()).toMatchObject({ path: 'uploads/body.bin', size: bytes.length });
    const got = Buffer.from(await (await example.request(path, { key })).arrayBuffer());
    expect(got.equals(bytes)).toBe(true);
    expect((await example.request(path, { key, method: 'DELETE' })).status).toBe(204);
    expect((await example.request(path, { key })).status).toBe(404);
  });

  it('refuses to write with a key that may only read', async () => {
    const response = await example.request('/files/denied.txt', {
      method: 'PUT',
      body: 'denied',
      key: example.variable('ACME_READ_KEY'),
    });
    expect(response.status).toBe(403);
    expect(await response.json()).toMatchObject({ errorCode: 'insufficient_scope' });
    expect((await example.request('/files/denied.txt', { key: example.variable('ACME_KEY') })).status).toBe(404);
  });

  it('ends at a signal though somebody holds a silent connection', async () => {
    const socket = connect(Number(new URL(example.url).port), '127.0.0.1');
    socket.on('error', () => undefined);
    await new Promise((resolve) => socket.once('connect', resolve));
    await example.stop();
    socket.destroy();
    example = await RunningExample.start(name, data);
  }, 30_000);

  it('starts again over the data of the first run, with new keys', async () => {
    const key = example.variable('ACME_KEY');
    await example.request('/files/kept.txt', { method: 'PUT', body: 'kept', key });
    await example.stop();
    example = await RunningExample.start(name, data);
    expect((await example.request('/whoami', { key })).status).toBe(401);
    const again = await example.request('/files/kept.txt', { key: example.variable('ACME_KEY') });
    await expect(again.text()).resolves.toBe('kept');
    await example.request('/files/kept.txt', { method: 'DELETE', key: example.variable('ACME_KEY') });
  }, 30_000);
});
