import assert from 'node:assert/strict';
import { readFileSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { call } from './call.mjs';

/** Forms of a way out of a tenant's directory, to a file that exists. */
const ESCAPES = [
  '/files/../globex/notes/hello.txt',
  '/files/notes/../../globex/notes/hello.txt',
  '/files/%2e%2e/globex/notes/hello.txt',
  '/files/..%2fglobex%2fnotes%2fhello.txt',
  '/files/%2Fetc%2Fpasswd',
  '/files/planted.txt',
];

/** Asserts what a running application promises. `root` is where its tenants' files are. */
export async function checkApp({ url, keys, root }) {
  await checkKeys(url, keys);
  await checkTenantContext(url, keys);
  await checkFiles(url, keys, root);
}

async function checkKeys(url, keys) {
  assert.deepEqual((await call(url, '/health')).body, { status: 'ok', handled: [] });

  for (const path of ['/whoami', '/unwatched', '/undeclared', '/files/notes/hello.txt']) {
    const missing = await call(url, path);
    assertRefusal(missing, path, 401, 'missing_credentials');
    assert.match(missing.headers['www-authenticate'], /^ApiKey|^Bearer/i, path);
    assertRefusal(await call(url, path, { key: `${keys.acme}x` }), path, 401, 'invalid_api_key');
  }
  const refused = await call(url, '/reports', { key: keys.acme, method: 'POST' });
  assertRefusal(refused, 'POST /reports', 403, 'insufficient_scope');
  assertRefusal(await call(url, '/undeclared', { key: keys.acme }), '/undeclared', 403, 'undeclared_route');
  assert.deepEqual((await call(url, '/health')).body.handled, [], 'a handler ran for a call that was refused');

  const { body } = await call(url, '/whoami', { key: keys.acme });
  assert.deepEqual(body, { tenantId: 'acme', scopes: ['files:read'] });
  assert.deepEqual((await call(url, '/unwatched', { key: keys.globex })).body, { tenantId: 'globex' });
  const allowed = await call(url, '/reports', { key: keys.writer, method: 'POST' });
  assert.equal(allowed.status, 201, allowed.text);
  assert.deepEqual((await call(url, '/health')).body.handled, ['whoami', 'unwatched', 'report']);
}

/** Singletons know the caller, also with calls of two tenants in flight, and also in a library that loads Keyfence itself. */
async function checkTenantContext(url, keys) {
  const tenants = Array.from({ length: 10 }, (_, index) => (index % 2 === 0 ? 'acme' : 'globex'));
  const answers = await Promise.all(tenants.map((tenant) => call(url, '/callers', { key: keys[tenant] })));
  for (const [index, { text, body }] of answers.entries()) {
    assert.deepEqual(body, { callers: [tenants[index], tenants[index]] }, text);
  }
  const feature = await call(url, '/feature', { key: keys.globex });
  assert.deepEqual(feature.body, { name: 'tenant globex' }, feature.text);
}

async function checkFiles(url, keys, root) {
  for (const tenant of ['acme', 'globex']) {
    const read = await call(url, '/files/notes/hello.txt', { key: keys[tenant] });
    assert.deepEqual([read.status, read.text], [200, `Hello from ${tenant}.`]);
  }
  assertRefusal(await call(url, '/files/absent.txt', { key: keys.acme }), 'an absent file', 404, 'file_not_found');

  const planted = join(root, 'acme', 'planted.txt');
  symlinkSync(join(root, 'globex', 'notes', 'hello.txt'), planted);
  assert.equal(readFileSync(planted, 'utf8'), 'Hello from globex.', 'the planted link leads nowhere');
  for (const path of ESCAPES) {
    const escape = await call(url, path, { key: keys.acme });
    assertRefusal(escape, path, 403, 'path_escape');
    assert.doesNotMatch(escape.text, /globex|root:|keyfence-/, path);
  }
}

function assertRefusal({ status, body, text }, what, expectedStatus, errorCode) {
  assert.deepEqual(
    { status, errorCode: body.errorCode, statusCode: body.statusCode },
    { status: expectedStatus, errorCode, statusCode: expectedStatus },
    `${what} was answered ${status} ${text}`,
  );
}
