import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { InMemoryApiKeyStore } from '../../src/api-key/in-memory-api-key.store.js';
import { refusal, startAccountApp, type AccountApp } from './support/account-app.js';
import { WAYS } from './support/ways.js';

/** Where a request says that it comes from, for an application that asks for that. */
function claimedAddress(request: object): string | undefined {
  const { headers } = request as { headers: Record<string, string | undefined> };
  if (headers['x-test-address'] === 'throw') throw new Error('no address');
  return headers['x-test-address'];
}

describe.each(WAYS)('on $name', (way) => {
  let app: AccountApp;
  let claiming: AccountApp;

  beforeAll(async () => {
    const store = new InMemoryApiKeyStore();
    app = await startAccountApp(way, store);
    claiming = await startAccountApp(way, store, { clientAddress: claimedAddress });
  });
  afterAll(() => Promise.all([app.close(), claiming.close()]));

  it.each([['127.0.0.1'], ['127.0.0.0/8'], ['0.0.0.0/0'], ['::ffff:127.0.0.1'], ['10.0.0.1', '127.0.0.1']])(
    '78 a key for %s is good from 127.0.0.1',
    async (...allowedIps) => {
      const { text } = await app.issue({ allowedIps });
      expect(await app.call('GET /data', text)).toMatchObject({ status: 200 });
    },
  );

  it.each([['127.0.0.2'], ['10.0.0.0/8'], ['::1'], ['::/0'], ['2001:db8::/32', '203.0.113.0/24']])(
    '78 a key for %s is not, whatever the request says of itself',
    async (...allowedIps) => {
      const { text } = await app.issue({ allowedIps });
      app.runs.length = 0;
      for (const address of ['10.0.0.1', '127.0.0.2', '::1', '2001:db8::1', '203.0.113.9']) {
        const headers = {
          'x-forwarded-for': `${address}, 10.0.0.9`,
          forwarded: `for=${address}`,
          'x-real-ip': address,
          'x-client-ip': address,
          'cf-connecting-ip': address,
        };
        expect(await app.send('GET /data', { key: text, headers })).toMatchObject(refusal(401, 'invalid_api_key'));
      }
      expect(app.runs).toEqual([]);
    },
  );

  it.each<[string, readonly string[], boolean]>([
    ['2001:db8::7', ['2001:db8::/32'], true],
    ['2001:DB8:0:0:0:0:0:7', ['2001:db8::7'], true],
    ['::ffff:192.0.2.7', ['192.0.2.0/24'], true],
    ['192.0.2.7', ['192.0.2.7/32'], true],
    ['2001:db9::7', ['2001:db8::/32'], false],
    ['192.0.3.7', ['192.0.2.0/24'], false],
    ['192.0.2.7, 192.0.2.8', ['192.0.2.0/24'], false],
    ['192.0.2', ['192.0.2.0/24'], false],
    ['localhost', ['127.0.0.1'], false],
    ['throw', ['0.0.0.0/0', '::/0'], false],
    ['', ['0.0.0.0/0', '::/0'], false],
  ])('78 a caller at %j with a key for %j: %p', async (address, allowedIps, isAllowed) => {
    const { text } = await claiming.issue({ allowedIps });
    claiming.runs.length = 0;
    const answer = await claiming.send('GET /data', { key: text, headers: { 'x-test-address': address } });
    expect(answer).toMatchObject(isAllowed ? { status: 200 } : refusal(401, 'invalid_api_key'));
    expect(claiming.runs).toEqual(isAllowed ? ['DataController.read'] : []);
  });

  it('78 a caller without an address has no use of a key that is bound to some, and of any other', async () => {
    const bound = await claiming.issue({ allowedIps: ['0.0.0.0/0', '::/0'] });
    const free = await claiming.issue();
    expect(await claiming.call('GET /data', bound.text)).toMatchObject(refusal(401, 'invalid_api_key'));
    expect(await claiming.call('GET /data', free.text)).toMatchObject({ status: 200 });
  });

  it('78 a key is bound and freed at once, though it is cached', async () => {
    const { record, text } = await app.issue();
    const statuses = [(await app.call('GET /data', text)).status];
    for (const allowedIps of [['10.0.0.0/8'], ['127.0.0.1'], ['10.0.0.0/8'], null]) {
      await app.service.forTenant('acme').update(record.id, { allowedIps });
      statuses.push((await app.call('GET /data', text)).status);
    }
    expect(statuses).toEqual([200, 401, 200, 401, 200]);
  });

  it.each([
    '192.168.*',
    '10.0.0.0/33',
    '::/129',
    'localhost',
    '10.0.0.0/8 ',
    '1.2.3',
    '010.0.0.1',
    '',
    '10.0.0.0/',
    '*',
  ])('78 no key is made for %j', async (entry) => {
    await expect(app.issue({ allowedIps: [entry] })).rejects.toThrow('allowedIps');
    await expect(app.issue({ allowedIps: ['127.0.0.1', entry] })).rejects.toThrow('allowedIps');
  });
});
