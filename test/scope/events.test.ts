import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { InMemoryApiKeyStore } from '../../src/api-key/in-memory-api-key.store.js';
import type { InvalidKeyReason } from '../../src/errors/authentication.exceptions.js';
import { EVENT_CHANNEL, KeyfenceEvents } from '../../src/events/keyfence-events.service.js';
import type { KeyfenceEvent } from '../../src/events/keyfence-event.js';
import type { KeyfenceOptions } from '../../src/options.js';
import { PLATFORMS } from '../support/adapters.js';
import { CountingStore } from '../support/counting-store.js';
import { MODES, startGuardedApp, type GuardedApp } from '../support/guarded-app.js';
import { composeKey, withWrongChecksum, withWrongSecret, type RecordFields } from '../support/sample-key.js';
import type { Answer, Sending } from '../support/send.js';

const TABLE = PLATFORMS.flatMap((platform) =>
  MODES.map((mode) => ({ platform, mode, name: `${platform.name}: ${mode.name}` })),
);
const PAST = new Date('2026-01-01');
const FUTURE = new Date('2027-01-01');

/** What a listener gets of a refused request, but for the time, which is the same for all. */
interface Told {
  readonly errorCode: string;
  readonly reason: string;
  readonly key: object | undefined;
  readonly handler: string | undefined;
}

describe.each(TABLE)('$name', ({ platform, mode }) => {
  let app: GuardedApp;
  let told: KeyfenceEvent[];
  let published: KeyfenceEvent[];

  const onMessage = (message: unknown): void => void published.push(message as KeyfenceEvent);

  /** Starts to listen to an application. */
  async function start(options: Partial<KeyfenceOptions> = {}): Promise<GuardedApp> {
    const started = await startGuardedApp(platform, mode, options);
    started.app.get(KeyfenceEvents).stream.subscribe((event) => told.push(event));
    return started;
  }

  /** What was told of one request. */
  async function toldOf(line: string, sending: Sending): Promise<{ answer: Answer; events: readonly KeyfenceEvent[] }> {
    told.length = 0;
    published.length = 0;
    const answer = await app.send(line, sending);
    expect(published).toEqual(told);
    return { answer, events: [...told] };
  }

  function denial(expected: Told): object {
    return { type: 'access_denied', at: app.clock.in(0), address: '127.0.0.1', ...expected };
  }

  /** The handler, where the guard refused; nothing, where the middleware answered before there was one. */
  function guardOnly(handler: string): string | undefined {
    return mode.middleware ? undefined : handler;
  }

  beforeAll(async () => {
    [told, published] = [[], []];
    app = await start();
  });

  beforeEach(() => {
    subscribe(EVENT_CHANNEL, onMessage);
  });

  afterEach(() => {
    unsubscribe(EVENT_CHANNEL, onMessage);
  });

  afterAll(() => app.close());

  it('tells of a missing key', async () => {
    const { answer, events } = await toldOf('GET /files', {});
    expect(answer.status).toBe(401);
    const code = 'missing_credentials';
    expect(events).toEqual([
      denial({ errorCode: code, reason: code, key: undefined, handler: 'FilesController.list' }),
    ]);
  });

  it.each<[InvalidKeyReason, string]>([
    ['malformed_key', 'no-key-at-all'],
    ['malformed_credentials', 'two keys'],
    ['bad_checksum', withWrongChecksum(composeKey())],
    ['wrong_environment', composeKey({ label: 'kftest' })],
    ['unknown_key', composeKey()],
  ])('tells of a key that is none: %s', async (reason, key) => {
    const { answer, events } = await toldOf('GET /files', { key });
    expect(answer).toMatchObject({ status: 401, body: { errorCode: 'invalid_api_key' } });
    expect(events).toEqual([
      denial({ errorCode: 'invalid_api_key', reason, key: undefined, handler: guardOnly('FilesController.list') }),
    ]);
  });

  it.each<[InvalidKeyReason, RecordFields, (text: string) => string]>([
    ['wrong_secret', {}, withWrongSecret],
    ['revoked', { revokedAt: PAST }, (text) => text],
    ['expired', { expiresAt: PAST }, (text) => text],
    ['rotated', { rotatedTo: 'key_2', graceEndsAt: PAST }, (text) => text],
    ['not_yet_valid', { notBefore: FUTURE }, (text) => text],
    ['address_not_allowed', { allowedIps: ['203.0.113.7'] }, (text) => text],
    ['wrong_environment', { environment: 'test' }, (text) => text],
  ])('tells which key was refused, and why: %s', async (reason, fields, sent) => {
    const id = `key_${reason}`;
    const key = sent(await app.key({ id, ...fields }));
    const { answer, events } = await toldOf('GET /files', { key });
    expect(answer).toMatchObject({ status: 401, body: { errorCode: 'invalid_api_key' } });
    const reference = { tenantId: 'acme', keyId: id };
    expect(events).toEqual([
      denial({ errorCode: 'invalid_api_key', reason, key: reference, handler: guardOnly('FilesController.list') }),
    ]);
    expect(Object.isFrozen(events[0])).toBe(true);
  });

  it('tells of every refusal of a cached key, too', async () => {
    const key = await app.key({ revokedAt: PAST });
    for (let count = 0; count < 3; count += 1) {
      expect((await toldOf('GET /files', { key })).events).toMatchObject([{ reason: 'revoked' }]);
    }
  });

  it('tells of a record that is not sound, twice: as a fault and as a denial', async () => {
    const key = await app.key({ scopes: ['*'] });
    const { events } = await toldOf('GET /files', { key });
    expect(events).toMatchObject([
      { type: 'record_refused', at: app.clock.in(0) },
      { type: 'access_denied', reason: 'malformed_record' },
    ]);
  });

  it.each<[string, string, string]>([
    ['POST /files', 'insufficient_scope', 'FilesController.write'],
    ['GET /files/admin', 'insufficient_scope', 'FilesController.admin'],
    ['GET /undeclared', 'undeclared_route', 'UndeclaredController.get'],
  ])('tells which key asked for what it may not: %s', async (line, code, handler) => {
    const key = await app.key({ id: `key_of ${line}` });
    const { answer, events } = await toldOf(line, { key });
    expect(answer).toMatchObject({ status: 403, body: { errorCode: code } });
    const reference = { tenantId: 'acme', keyId: `key_of ${line}` };
    expect(events).toEqual([denial({ errorCode: code, reason: code, key: reference, handler })]);
  });

  it('tells of a stranger at an undeclared route that a key is missing', async () => {
    const { events } = await toldOf('GET /undeclared', {});
    expect(events).toMatchObject([{ reason: 'missing_credentials', handler: 'UndeclaredController.get' }]);
  });

  it.each<[string, boolean]>([
    ['GET /files', true],
    ['GET /files/any', true],
    ['GET /health', true],
    ['GET /health', false],
    ['GET /health/closed', true],
  ])('tells of nobody who got in: %s, with a key: %p', async (line, withKey) => {
    const { answer, events } = await toldOf(line, withKey ? { key: await app.key() } : {});
    expect(answer.status).toBe(200);
    expect(events).toEqual([]);
  });

  it('tells of nothing for a path that leads nowhere, without a key', async () => {
    const { answer, events } = await toldOf('GET /nowhere', {});
    expect(answer.status).toBe(404);
    expect(events).toEqual([]);
  });

  it('tells of a bad key at a public route, and of nothing where that is ignored', async () => {
    const { events } = await toldOf('GET /health', { key: composeKey() });
    expect(events).toMatchObject([{ reason: 'unknown_key', handler: guardOnly('HealthController.check') }]);
    await using lenient = await start({ invalidKey: 'ignore' });
    told.length = 0;
    expect(await lenient.send('GET /health', { key: composeKey() })).toMatchObject({ status: 200 });
    expect(told).toEqual([]);
    expect(await lenient.send('GET /files', { key: composeKey() })).toMatchObject({ status: 401 });
    expect(told).toMatchObject([{ reason: 'unknown_key', handler: 'FilesController.list' }]);
  });

  it('tells of a store that is down, and of the denial, which is at the handler', async () => {
    class DownStore extends CountingStore {
      override findByLocator(): ReturnType<CountingStore['findByLocator']> {
        return Promise.reject(new TypeError('postgres://user:password@db'));
      }
    }
    await using down = await start({ store: new DownStore(new InMemoryApiKeyStore()) });
    told.length = 0;
    expect(await down.send('GET /files', { key: composeKey() })).toMatchObject({ status: 503 });
    const code = 'key_store_unavailable';
    expect(told).toEqual([
      { type: 'store_failed', at: down.clock.in(0), reason: 'TypeError' },
      denial({ errorCode: code, reason: code, key: undefined, handler: 'FilesController.list' }),
    ]);
    told.length = 0;
    expect(await down.send('GET /health', { key: composeKey() })).toMatchObject({ status: 200 });
    expect(told).toMatchObject([{ type: 'store_failed' }]);
    expect(JSON.stringify(told)).not.toContain('password');
  });

  it('takes the address from the option', async () => {
    await using proxied = await start({ clientAddress: () => '203.0.113.7' });
    told.length = 0;
    await proxied.send('GET /files');
    expect(told).toMatchObject([{ address: '203.0.113.7' }]);
  });

  it('answers the same whatever a listener does, and says so once in the log', async () => {
    await using disturbed = await start();
    const events = disturbed.app.get(KeyfenceEvents);
    const key = await disturbed.key();
    const revoked = await disturbed.key({ revokedAt: PAST });
    const requests: [string, Sending][] = [
      ['GET /files', {}],
      ['GET /files', { key: composeKey() }],
      ['GET /files', { key: revoked }],
      ['POST /files', { key }],
      ['GET /files', { key }],
      ['GET /health', {}],
    ];
    const answersOf = async (): Promise<object[]> => {
      const answers: object[] = [];
      for (const [line, sending] of requests) {
        const { status, headers, text } = await disturbed.send(line, sending);
        answers.push({ status, text, headers: { ...headers, date: undefined } });
      }
      return answers;
    };
    const before = await answersOf();
    let failures = 0;
    events.stream.subscribe(() => {
      failures += 1;
      throw new RangeError('the audit is full');
    });
    const reject: () => unknown = () => Promise.reject(new RangeError('the audit is full'));
    events.stream.subscribe(reject);
    told.length = 0;
    expect(await answersOf()).toEqual(before);
    expect(failures).toBe(4);
    expect(told).toHaveLength(4);
    expect(disturbed.log.textOf('error').match(/RangeError/g)).toHaveLength(8);
    expect(disturbed.log.textOf()).not.toContain('the audit is full');
  });
});

describe.each(PLATFORMS)('on $name', (platform) => {
  it('tells once of a missing key that the middleware refuses', async () => {
    const [mounted] = MODES;
    if (mounted === undefined) throw new Error('unreachable');
    await using app = await startGuardedApp(platform, mounted, { middleware: { missingKey: 'reject' } });
    const told: KeyfenceEvent[] = [];
    app.app.get(KeyfenceEvents).stream.subscribe((event) => told.push(event));
    expect(await app.send('GET /health')).toMatchObject({ status: 401 });
    expect(told).toEqual([
      {
        type: 'access_denied',
        at: app.clock.in(0),
        errorCode: 'missing_credentials',
        reason: 'missing_credentials',
        key: undefined,
        address: '127.0.0.1',
        handler: undefined,
      },
    ]);
  });
});
