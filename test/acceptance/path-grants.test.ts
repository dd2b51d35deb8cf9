import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { InMemoryApiKeyStore } from '../../src/api-key/in-memory-api-key.store.js';
import { plantTree, temporaryDirectory } from '../support/file-tree.js';
import { keyIn, refusal, startAccountApp, type AccountApp } from './support/account-app.js';
import { WAYS } from './support/ways.js';

const SCOPES = ['files:*', 'keys:*'];
const EVERYTHING = ['one.txt', 'reports', 'reports/q3.csv', 'reports2', 'reports2/x', 'secret', 'secret/plan'];

describe.each(WAYS)('on $name', (way) => {
  let app: AccountApp;
  let root: string;

  beforeAll(async () => {
    root = temporaryDirectory();
    await plantTree(join(root, 'globex'), { reports: { 'q3.csv': 'of globex' } });
    app = await startAccountApp(way, new InMemoryApiKeyStore(), { files: { root } });
  });
  beforeEach(async () => {
    for (const name of ['reports', 'reports2', 'secret'])
      rmSync(join(root, 'acme', name), { recursive: true, force: true });
    await plantTree(join(root, 'acme'), {
      'one.txt': 'one',
      reports: { 'q3.csv': 'of acme' },
      reports2: { x: 'kept back' },
      secret: { plan: 'kept back' },
    });
  });
  afterAll(async () => {
    await app.close();
    rmSync(root, { recursive: true });
  });

  const listed = async (key: string) => (await app.call('GET /files', key)).body;

  it('66 a key with paths reads, writes and lists these and nothing else', async () => {
    const { text } = await app.issue({ scopes: SCOPES, paths: ['reports/**', 'one.txt'] });
    expect(await app.call('GET /files/reports/q3.csv', text)).toMatchObject({ status: 200, text: 'of acme' });
    expect(await app.call('GET /files/one.txt', text)).toMatchObject({ status: 200, text: 'one' });
    expect(await app.call('PUT /files/reports/new/one', text)).toMatchObject({ status: 200 });
    expect(await listed(text)).toEqual(['one.txt', 'reports', 'reports/new', 'reports/new/one', 'reports/q3.csv']);
    const outside = [
      'reports2/x',
      'secret/plan',
      'secret/none',
      'none',
      'one.txt2',
      'reports/../secret/plan',
      'reports/%2e%2e/secret/plan',
    ];
    for (const path of outside) {
      for (const method of ['GET', 'PUT']) {
        expect(await app.call(`${method} /files/${path}`, text)).toMatchObject(refusal(403, 'path_escape'));
      }
    }
    // Control: a key without paths reaches all of the tenant, where nothing was overwritten.
    const free = await app.issue({ scopes: SCOPES });
    for (const path of ['reports2/x', 'secret/plan']) {
      expect(await app.call(`GET /files/${path}`, free.text)).toMatchObject({ status: 200, text: 'kept back' });
    }
  });

  it("66 paths are of the key's own tenant", async () => {
    const { text } = await app.issue({ scopes: SCOPES, paths: ['reports/**'] }, 'globex');
    expect(await app.call('GET /files/reports/q3.csv', text)).toMatchObject({ status: 200, text: 'of globex' });
    expect(await listed(text)).toEqual(['reports', 'reports/q3.csv']);
    expect(await app.call('GET /files/../acme/reports/q3.csv', text)).toMatchObject({
      status: expect.any(Number) as unknown,
    });
    expect((await app.call('GET /files/../acme/reports/q3.csv', text)).text).not.toContain('of acme');
  });

  it('66 paths go on over a rotation, and a change of them counts at once', async () => {
    const { record, text } = await app.issue({ scopes: SCOPES, paths: ['reports/**'] });
    const keys = app.service.forTenant('acme');
    expect(await listed(text)).toEqual(['reports', 'reports/q3.csv']);
    const { secret } = await keys.rotate(record.id);
    expect(await listed(secret.reveal())).toEqual(['reports', 'reports/q3.csv']);
    const changing = await app.issue({ scopes: SCOPES });
    expect(await listed(changing.text)).toEqual(EVERYTHING);
    await keys.update(changing.record.id, { paths: ['secret/plan'] });
    expect(await listed(changing.text)).toEqual(['secret/plan']);
    await keys.update(changing.record.id, { paths: null });
    expect(await listed(changing.text)).toEqual(EVERYTHING);
  });

  it.each([[['secret/**']], [['reports/**', 'secret/plan']], [['one.txt']], [['reports2/**']], [['report/**']]])(
    '53, 68 a key with paths gives no wider ones: %j',
    async (paths) => {
      const grantor = await app.issue({ scopes: SCOPES, paths: ['reports/**'] });
      const wanted = { name: 'n', scopes: ['files:read'] };
      expect(await app.call('POST /keys', grantor.text, { ...wanted, paths })).toMatchObject(
        refusal(403, 'grant_exceeded'),
      );
      // Without any it hands on its own, and within them it may narrow.
      for (const own of [{}, { paths: ['reports/**'] }, { paths: ['reports/deep/**', 'reports/q3.csv'] }]) {
        const { record, key } = keyIn(await app.call('POST /keys', grantor.text, { ...wanted, ...own }));
        expect(record.paths).toEqual('paths' in own ? own.paths : ['reports/**']);
        expect(await app.call('GET /files/secret/plan', key)).toMatchObject(refusal(403, 'path_escape'));
        const change = await app.call(`PATCH /keys/${record.id}`, grantor.text, { paths });
        expect(change).toMatchObject(refusal(403, 'grant_exceeded'));
        expect(await app.call(`PATCH /keys/${record.id}`, grantor.text, { paths: null })).toMatchObject({
          body: { paths: ['reports/**'] },
        });
      }
    },
  );
});
