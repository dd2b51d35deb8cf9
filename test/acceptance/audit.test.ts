import { describe, expect, it } from '@jest/globals';
import { InMemoryApiKeyStore } from '../../src/api-key/in-memory-api-key.store.js';
import { KeyfenceEvents } from '../../src/events/keyfence-events.service.js';
import { composeKey } from '../support/sample-key.js';
import { keyIn, MANAGER_SCOPES, startAccountApp } from './support/account-app.js';
import { WAYS } from './support/ways.js';

describe.each(WAYS)('on $name', (way) => {
  const mounted = way.options.middleware === undefined;

  it('87 a whole life is told, one event for each action and each denial, with who, whose, which, where and why', async () => {
    await using app = await startAccountApp(way, new InMemoryApiKeyStore());
    const { record: manager, text } = await app.issue({ scopes: MANAGER_SCOPES });
    const made = keyIn(await app.call('POST /keys', text, { name: 'made', scopes: ['data:read'] }));
    await app.call('GET /data', made.key);
    await app.call('POST /data', made.key);
    await app.call(`PATCH /keys/${made.record.id}`, text, { name: 'renamed' });
    const next = keyIn(await app.call(`POST /keys/${made.record.id}/rotate`, text, { immediate: true }));
    await app.call('GET /data', made.key);
    await app.call(`DELETE /keys/${next.record.id}`, text);
    await app.call('GET /data', next.key);
    await app.call('GET /data');
    await app.call('GET /data', composeKey());
    await app.call('POST /keys', text, { name: 'more', scopes: ['*:*'] });
    await app.call('GET /keys/key_none', text);

    const at = app.clock.in(0);
    const actor = { tenantId: 'acme', keyId: manager.id };
    const key = (keyId: string) => ({ tenantId: 'acme', keyId });
    const denied = (reason: string, errorCode: string, of?: string) => ({
      type: 'access_denied',
      at,
      reason,
      errorCode,
      key: of === undefined ? undefined : key(of),
      address: '127.0.0.1',
    });
    const byMiddleware = { handler: mounted ? undefined : 'DataController.read' };
    expect(app.events).toEqual([
      { type: 'key_issued', at, actor: 'system', ...key(manager.id) },
      { type: 'key_issued', at, actor, ...key(made.record.id) },
      { ...denied('insufficient_scope', 'insufficient_scope', made.record.id), handler: 'DataController.write' },
      { type: 'key_updated', at, actor, ...key(made.record.id) },
      { type: 'key_rotated', at, actor, ...key(made.record.id), successorId: next.record.id },
      { ...denied('rotated', 'invalid_api_key', made.record.id), ...byMiddleware },
      { type: 'key_revoked', at, actor, ...key(next.record.id) },
      { ...denied('revoked', 'invalid_api_key', next.record.id), ...byMiddleware },
      { ...denied('missing_credentials', 'missing_credentials'), handler: 'DataController.read' },
      { ...denied('unknown_key', 'invalid_api_key'), ...byMiddleware },
      { ...denied('grant_exceeded', 'grant_exceeded', manager.id), address: undefined },
    ]);
    expect(app.events.every((event) => Object.isFrozen(event))).toBe(true);
    // What changes nothing is no action.
    app.clock.advance(1);
    app.events.length = 0;
    expect(await app.call(`DELETE /keys/${next.record.id}`, text)).toMatchObject({ status: 200 });
    expect(app.events).toEqual([]);
  });

  it('87 no event holds a key or a digest', async () => {
    await using app = await startAccountApp(way, new InMemoryApiKeyStore());
    const { record: manager, text } = await app.issue({ scopes: MANAGER_SCOPES });
    const made = keyIn(await app.call('POST /keys', text, { name: 'made', scopes: ['data:read'] }));
    const next = keyIn(await app.call(`POST /keys/${made.record.id}/rotate`, text, { immediate: true }));
    for (const key of [made.key, next.key, composeKey(), `${next.key},${next.key}`]) await app.call('POST /data', key);
    await app.call(`GET /keys/${next.key}`, text);
    expect(app.events.length).toBeGreaterThan(6);
    const told = JSON.stringify(app.events);
    for (const secret of [text, made.key, next.key, manager.digest]) expect(told).not.toContain(secret);
  });

  it('87 the clean-up is told with its count', async () => {
    await using app = await startAccountApp(way, new InMemoryApiKeyStore());
    for (const tenant of ['acme', 'globex']) {
      const { record } = await app.issue({}, tenant);
      await app.service.forTenant(tenant).revoke(record.id);
    }
    app.clock.advance('91d');
    app.events.length = 0;
    await app.service.prune({ deadFor: '90d' });
    expect(app.events).toEqual([{ type: 'keys_pruned', at: app.clock.in(0), actor: 'system', count: 2 }]);
  });

  it('87 a listener that throws or rejects changes no answer, and the others hear all the same', async () => {
    await using app = await startAccountApp(way, new InMemoryApiKeyStore());
    const { stream } = app.app.get(KeyfenceEvents);
    let failures = 0;
    stream.subscribe(() => {
      failures += 1;
      throw new Error('a listener with a secret');
    });
    const rejecting = (): unknown => {
      failures += 1;
      return Promise.reject(new Error('a listener with a secret'));
    };
    stream.subscribe(rejecting);
    const { record, text } = await app.issue();
    expect(await app.call('GET /data', text)).toMatchObject({ status: 200 });
    expect(await app.call('POST /data', text)).toMatchObject({ status: 403 });
    await app.service.forTenant('acme').revoke(record.id);
    expect(await app.call('GET /data', text)).toMatchObject({ status: 401 });
    expect(failures).toBe(8);
    expect(app.events.map(({ type }) => type)).toEqual(['key_issued', 'access_denied', 'key_revoked', 'access_denied']);
    expect(app.log.textOf('error')).toContain('A listener of KeyfenceEvents failed');
    expect(app.log.textOf()).not.toContain('with a secret');
  });
});
