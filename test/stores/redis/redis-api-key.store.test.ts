import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Redis } from 'ioredis';
import { createSentinel } from 'redis';
import { readRecord, type ApiKeyRecord } from '../../../src/api-key/api-key-record.js';
import { KeyfenceConfigurationError } from '../../../src/errors/configuration.error.js';
import { RedisApiKeyStore, type IoRedisClient, type RedisClient } from '../../../src/stores/redis/index.js';
import { startRedis } from '../../support/redis.js';
import { ACME, newRecord, rotation } from './records.js';
import { connectIoRedis, connectNodeRedis, type ConnectedClient, freshPrefix } from './redis-clients.js';

const server = await startRedis();
/** Without these fields a record is sound: it has no such limit. */
const OPTIONAL: ReadonlySet<string> = new Set([
  'paths',
  'allowedIps',
  'notBefore',
  'expiresAt',
  'revokedAt',
  'lastUsedAt',
  'metadata',
  'graceEndsAt',
  'rotatedTo',
]);
const ALL = { limit: 200, includeRevoked: true };

afterAll(() => server?.dispose());

describe('RedisApiKeyStore: what it is made with', () => {
  const client: IoRedisClient = { isCluster: false, call: () => Promise.resolve(null) };

  it.each(['', 'keyfence:', '{}:', '}a{', '{a', 'a}', '{a b}:', '{\u00e4}:', `{${'a'.repeat(100)}}`, 7])(
    'refuses the prefix %j',
    (keyPrefix) => {
      const make = (): RedisApiKeyStore => new RedisApiKeyStore(client, { keyPrefix: keyPrefix as string });
      expect(make).toThrow(KeyfenceConfigurationError);
      expect(make).toThrow('keyPrefix');
    },
  );

  it.each(['{keyfence}:', 'app:{keys}:', '{a}', 'x{a}{b}'])('takes the prefix %j', (keyPrefix) => {
    expect(new RedisApiKeyStore(client, { keyPrefix })).toBeInstanceOf(RedisApiKeyStore);
  });

  it.each([
    ['nothing', undefined],
    ['a URL', 'redis://127.0.0.1'],
    ['an object', {}],
    ['a sentinel client of node-redis', createSentinel({ name: 'none', sentinelRootNodes: [] })],
  ])('refuses %s as a client', (_name, wrong) => {
    expect(() => new RedisApiKeyStore(wrong as unknown as RedisClient)).toThrow(KeyfenceConfigurationError);
  });

  it('asks for the locator under the default prefix', async () => {
    const sent: string[][] = [];
    const call = (command: string, args: string[]): Promise<unknown> => {
      sent.push([command, ...args]);
      return Promise.resolve([]);
    };
    await expect(new RedisApiKeyStore({ isCluster: false, call }).findByLocator('abc')).resolves.toBeNull();
    expect(sent).toEqual([['HGETALL', '{keyfence}:key:abc']]);
  });

  it.each([
    ['undefined', undefined],
    ['a text', 'OK'],
    ['a number', 1],
    ['an odd list', ['id']],
    ['a list of lists', [[], []]],
  ])('rejects when a client answers with %s', async (_name, answer) => {
    const store = new RedisApiKeyStore({ isCluster: false, call: () => Promise.resolve(answer) });
    await expect(store.findByLocator('abc')).rejects.toThrow('unexpected');
  });

  it('refuses further commands at once while 10,000 wait, and takes them again when those are done', async () => {
    const waiting: ((reply: unknown) => void)[] = [];
    const call = (): Promise<unknown> => new Promise((resolve) => waiting.push(resolve));
    const store = new RedisApiKeyStore({ isCluster: false, call });
    const lookups = Array.from({ length: 10_000 }, (_, index) => store.findByLocator(`${index}`));
    expect(waiting).toHaveLength(10_000);
    await expect(store.findByLocator('one more')).rejects.toThrow('10000 commands are waiting');
    expect(waiting).toHaveLength(10_000);
    for (const resolve of waiting.splice(0)) resolve([]);
    expect(new Set(await Promise.all(lookups))).toEqual(new Set([null]));
    const again = store.findByLocator('again');
    waiting[0]?.([]);
    await expect(again).resolves.toBeNull();
  });
});

(server ? describe : describe.skip)('RedisApiKeyStore', () => {
  const url = server?.url ?? '';
  let raw: Redis;
  let keyPrefix: string;

  beforeAll(() => {
    raw = connectIoRedis(url).client;
  });

  afterAll(() => {
    raw.disconnect();
  });

  const freshStore = (client: RedisClient = raw): RedisApiKeyStore => {
    keyPrefix = freshPrefix();
    return new RedisApiKeyStore(client, { keyPrefix });
  };
  const hashOf = (record: ApiKeyRecord): string => `${keyPrefix}key:${record.locator}`;

  describe.each([
    [
      'scopes',
      ['', 'null', '{}', '"files:read"', '[1]', '["files:read",null]', '["nonsense"]', '["files:read"', 'undefined'],
    ],
    ['paths', ['', 'null', '{}', '[null]', '["/etc"]', '[']],
    ['allowedIps', ['', 'null', '0', '"10.0.0.1"', '[0]', '[""]', '[[]]', 'none']],
    ['notBefore', ['', 'null', 'NaN', 'Infinity', '1e3', ' 1', '1 ', '0x10', '1.5', '8640000000000001', '2026-01-01']],
    ['expiresAt', ['', 'null', 'NaN', 'Infinity', '1e3', '-', '99999999999999999', 'never', '-8640000000000001']],
    ['revokedAt', ['', 'null', 'false', 'NaN']],
    ['graceEndsAt', ['', 'null', 'NaN']],
    ['rotatedTo', ['']],
    ['createdAt', ['', 'x']],
    ['lastUsedAt', ['', 'x']],
    ['metadata', ['', 'null', '[]', '1', '{"a":', '"text"']],
    ['tenantId', ['', '../acme']],
    ['digest', ['']],
    ['digestVersion', ['']],
    ['environment', ['']],
    ['lineageId', ['']],
    ['version', ['', 'x', '-1', '1.5']],
  ] as const)('a malformed %s', (field, texts) => {
    it.each(OPTIONAL.has(field) ? texts : [...texts, undefined])('%j is no limit that is not there', async (text) => {
      const store = freshStore();
      const record = newRecord({
        paths: ['a/**'],
        allowedIps: ['10.0.0.1'],
        notBefore: new Date(1),
        expiresAt: new Date(4e12),
        revokedAt: new Date(3),
        rotatedTo: 'key_next',
        graceEndsAt: new Date(4),
        lastUsedAt: new Date(5),
        metadata: { a: 1 },
      });
      await store.insert(record);
      const sound = await store.findByLocator(record.locator);
      expect(readRecord(sound)).toMatchObject({ allowedIps: ['10.0.0.1'], revokedAt: new Date(3) });
      if (text === undefined) await raw.hdel(hashOf(record), field);
      else await raw.hset(hashOf(record), field, text);
      const found = await store.findByLocator(record.locator);
      expect(found).not.toBeNull();
      expect(readRecord(found)).toBeUndefined();
      if (field === 'tenantId') return;
      await expect(store.findById(ACME, record.id)).rejects.toThrow(`malformed "${field}"`);
      await expect(store.list(ACME, ALL)).rejects.toThrow(`malformed "${field}"`);
      await expect(store.list(ACME, { ...ALL, unusedSince: new Date(6) })).rejects.toThrow(`malformed "${field}"`);
    });
  });

  it('is not confused by a key of another type', async () => {
    const store = freshStore();
    await raw.set(`${keyPrefix}key:abc`, 'text');
    await expect(store.findByLocator('abc')).rejects.toThrow('WRONGTYPE');
  });

  it('writes no date that is none', async () => {
    const store = freshStore();
    const record = newRecord({ expiresAt: new Date(NaN) });
    await expect(store.insert(record)).rejects.toThrow('malformed "expiresAt"');
    await expect(store.findByLocator(record.locator)).resolves.toBeNull();
    const sound = newRecord();
    await store.insert(sound);
    await expect(store.revoke(ACME, sound.id, new Date(NaN))).rejects.toThrow(RangeError);
    await expect(store.findById(ACME, sound.id)).resolves.toEqual(sound);
  });

  it('keeps texts as they are', async () => {
    const store = freshStore();
    const name = 'a\u0000b\r\n\u{1f511} $6 *3 {x} \u2028 %s';
    const record = newRecord({ name, metadata: { [name]: name, __proto__x: 1 } });
    await store.insert(record);
    await expect(store.findById(ACME, record.id)).resolves.toEqual(record);
  });

  it('revokes a key whose version or lists cannot be read, and says so', async () => {
    const store = freshStore();
    const record = newRecord();
    await store.insert(record);
    await raw.hset(hashOf(record), 'version', 'x');
    await expect(store.revoke(ACME, record.id, new Date(7))).rejects.toThrow('malformed "version"');
    await expect(raw.hget(hashOf(record), 'revokedAt')).resolves.toBe('7');
  });

  it('gives no key in Redis a time to live, and all of them one hash slot', async () => {
    const store = freshStore();
    const record = newRecord({ expiresAt: new Date(1) });
    await store.insert(record);
    await store.rotate(...rotation(record));
    const keys = await raw.keys(`${keyPrefix}*`);
    // Two records and their ids, the tenant's set, the set of ends.
    expect(keys).toHaveLength(6);
    expect(await Promise.all(keys.map((key) => raw.ttl(key)))).toEqual(keys.map(() => -1));
  });

  it('leaves nothing in Redis of keys that were pruned', async () => {
    const store = freshStore();
    for (let count = 0; count < 3; count += 1) await store.insert(newRecord({ expiresAt: new Date(count) }));
    await expect(store.prune(new Date(10), 10)).resolves.toBe(3);
    await expect(raw.keys(`${keyPrefix}*`)).resolves.toEqual([]);
  });

  it('prunes more than one script takes, and no more than the limit', async () => {
    const store = freshStore();
    const records = Array.from({ length: 1_300 }, () => newRecord({ expiresAt: new Date(1) }));
    await Promise.all(records.map((record) => store.insert(record)));
    await expect(store.prune(new Date(2), 1_200)).resolves.toBe(1_200);
    await expect(store.prune(new Date(2), 1_200)).resolves.toBe(100);
    await expect(store.prune(new Date(2), 1_200)).resolves.toBe(0);
  });

  it('does not prune a key whose end somebody moved by hand', async () => {
    const store = freshStore();
    const [moved, dead] = [newRecord({ expiresAt: new Date(1) }), newRecord({ expiresAt: new Date(1) })];
    await store.insert(moved);
    await store.insert(dead);
    await raw.hset(hashOf(moved), 'expiresAt', '4000000000000');
    await expect(store.prune(new Date(2), 10)).resolves.toBe(1);
    await expect(store.findById(ACME, moved.id)).resolves.toMatchObject({ expiresAt: new Date(4e12) });
    await expect(store.findById(ACME, dead.id)).resolves.toBeNull();
    await expect(raw.zrange(`${keyPrefix}ends`, 0, '-1', 'WITHSCORES')).resolves.toEqual([
      moved.locator,
      '4000000000000',
    ]);
  });

  it('lists past more keys that are left out than one script looks at', async () => {
    const store = freshStore();
    const time = (count: number): Date => new Date(1_000 + count);
    const revoked = Array.from({ length: 2_100 }, (_, count) =>
      newRecord({ createdAt: time(count), revokedAt: time(0) }),
    );
    const alive = [
      newRecord({ createdAt: time(1_500) }),
      newRecord({ createdAt: time(5_000) }),
      newRecord({ createdAt: time(6_000) }),
    ];
    await Promise.all([...revoked, ...alive].map((record) => store.insert(record)));
    const first = await store.list(ACME, { limit: 2, includeRevoked: false });
    expect(first.items).toEqual(alive.slice(0, 2));
    await expect(store.list(ACME, { limit: 2, includeRevoked: false, cursor: first.next })).resolves.toEqual({
      items: alive.slice(2),
      next: undefined,
    });
  });

  it('keeps the place of a cursor whose key was pruned', async () => {
    const store = freshStore();
    const [first, second, third] = [
      newRecord({ createdAt: new Date(1) }),
      newRecord({ createdAt: new Date(2), expiresAt: new Date(2) }),
      newRecord({ createdAt: new Date(3) }),
    ];
    for (const record of [first, second, third]) await store.insert(record);
    const { items, next } = await store.list(ACME, { limit: 2, includeRevoked: true });
    expect(items).toEqual([first, second]);
    await expect(store.prune(new Date(3), 10)).resolves.toBe(1);
    const rest = await store.list(ACME, { limit: 2, includeRevoked: true, cursor: next });
    expect(rest.items).toEqual([third]);
  });

  it('sorts times before 1970 and far ahead', async () => {
    const store = freshStore();
    const times = [-8.64e15, -1, 0, 1, 8.64e15];
    const records = times.map((time) => newRecord({ createdAt: new Date(time) }));
    for (const record of records.toReversed()) await store.insert(record);
    await expect(store.list(ACME, ALL)).resolves.toEqual({ items: records, next: undefined });
  });

  it('works through a client of ioredis that puts a prefix of its own before keys', async () => {
    const client = new Redis(url, { keyPrefix: 'app:' });
    try {
      const store = freshStore(client);
      const record = newRecord();
      await expect(store.insert(record)).resolves.toBe(true);
      const [old, successor] = rotation(record);
      await expect(store.rotate(old, successor)).resolves.toBe(true);
      await expect(store.findByLocator(successor.locator)).resolves.toEqual(successor);
      await expect(store.list(ACME, ALL)).resolves.toMatchObject({ items: [{ id: old.id }, { id: successor.id }] });
      expect(await raw.keys(`${keyPrefix}*`)).toEqual([]);
      expect(await raw.keys(`app:${keyPrefix}*`)).toHaveLength(6);
    } finally {
      client.disconnect();
    }
  });

  it('answers as if a write was sent once when the client sends it twice', async () => {
    // As ioredis does when the connection broke before the answer came.
    const call = async (command: string, args: string[]): Promise<unknown> => {
      await raw.call(command, args);
      return await raw.call(command, args);
    };
    const store = freshStore({ isCluster: false, call });
    const record = newRecord();
    await expect(store.insert(record)).resolves.toBe(true);
    const renamed = { ...record, name: 'renamed', version: 2 };
    await expect(store.update(renamed)).resolves.toBe(true);
    const [old, successor] = rotation(renamed);
    await expect(store.rotate(old, successor)).resolves.toBe(true);
    await expect(store.findById(ACME, record.id)).resolves.toEqual(old);
    await expect(store.findById(ACME, successor.id)).resolves.toEqual(successor);
    // Another write of the same content is another write (control).
    await expect(store.insert(record)).resolves.toBe(false);
    await expect(store.update(renamed)).resolves.toBe(false);
    await expect(store.rotate(old, successor)).resolves.toBe(false);
  });

  it('writes nothing, or all, when the memory of Redis is full', async () => {
    const store = freshStore();
    const [record, other] = [newRecord(), newRecord()];
    await store.insert(record);
    const [old, successor] = rotation(record);
    await raw.config('SET', 'maxmemory', '1');
    try {
      await expect(store.insert(other)).rejects.toThrow('OOM');
      await expect(store.rotate(old, successor)).rejects.toThrow('OOM');
      await expect(store.update({ ...record, name: 'x', version: 2 })).rejects.toThrow('OOM');
      await expect(store.revoke(ACME, record.id, new Date())).rejects.toThrow('OOM');
    } finally {
      await raw.config('SET', 'maxmemory', '0');
    }
    await expect(store.list(ACME, ALL)).resolves.toEqual({ items: [record], next: undefined });
    expect(await raw.keys(`${keyPrefix}*`)).toHaveLength(3);
    await expect(store.insert(other)).resolves.toBe(true);
    await expect(store.rotate(old, successor)).resolves.toBe(true);
  });

  describe.each([
    ['ioredis', (): Promise<ConnectedClient> => Promise.resolve(connectIoRedis(url))],
    ['node-redis', () => connectNodeRedis(url)],
  ])('through %s', (_name, connect) => {
    let connected: ConnectedClient;

    beforeAll(async () => {
      connected = await connect();
    });

    afterAll(() => {
      connected.close();
    });

    it('works on when Redis has forgotten its scripts', async () => {
      const store = freshStore(connected.client);
      let record = newRecord();
      const flushed = async <T>(work: Promise<T>): Promise<T> => {
        const done = await work;
        await raw.script('FLUSH');
        return done;
      };
      await flushed(Promise.resolve());
      expect(await flushed(store.insert(record))).toBe(true);
      expect(await flushed(store.update({ ...record, name: 'x', version: 2 }))).toBe(true);
      const [old, successor] = rotation({ ...record, name: 'x', version: 2 });
      expect(await flushed(store.rotate(old, successor))).toBe(true);
      await flushed(store.recordUses([{ id: record.id, at: new Date(5) }]));
      await flushed(
        store.replaceDigests([{ id: record.id, from: record.digest, digest: 'f'.repeat(64), digestVersion: 'y' }]),
      );
      record = { ...old, lastUsedAt: new Date(5), digest: 'f'.repeat(64), digestVersion: 'y' };
      expect(await flushed(store.findById(ACME, record.id))).toEqual(record);
      expect((await flushed(store.list(ACME, ALL))).items).toHaveLength(2);
      expect(await flushed(store.revoke(ACME, record.id, new Date(6)))).toMatchObject({ revokedAt: new Date(6) });
      expect(await flushed(store.prune(new Date(7), 10))).toBe(1);
      await expect(store.findById(ACME, record.id)).resolves.toBeNull();
    });

    it('sends one command for a lookup, and one for each change', async () => {
      const store = freshStore(connected.client);
      const records = Array.from({ length: 1_000 }, () => newRecord());
      for (const record of records) await store.insert(record);
      const [record] = records as [ApiKeyRecord];
      const [old, successor] = rotation({ ...record, version: 2 });
      const uses = records.map(({ id }) => ({ id, at: new Date(5) }));
      const work: Readonly<Record<string, () => Promise<unknown>>> = {
        findByLocator: () => store.findByLocator(record.locator),
        'findByLocator of none': () => store.findByLocator('none'),
        recordUses: () => store.recordUses(uses),
        replaceDigests: () =>
          store.replaceDigests(records.map(({ id, digest }) => ({ id, from: digest, digest, digestVersion: 'x' }))),
        update: () => store.update({ ...record, version: 2 }),
        rotate: () => store.rotate(old, successor),
        insert: () => store.insert(newRecord()),
        revoke: () => store.revoke(ACME, record.id, new Date()),
        findById: () => store.findById(ACME, record.id),
        list: () => store.list(ACME, ALL),
        prune: () => store.prune(new Date(1), 10),
      };
      // So that Redis knows the scripts.
      for (const run of Object.values(work)) await run();
      const counts: Record<string, number> = {};
      for (const [name, run] of Object.entries(work)) counts[name] = (await commandsDuring(run)).length;
      expect(counts).toEqual(Object.fromEntries(Object.keys(work).map((name) => [name, 1])));
      const all = (await commandsDuring(() => Promise.all(Object.values(work).map((run) => run())))).join(' ');
      expect(all).not.toMatch(/\b(keys|scan|hscan|zscan)\b/i);
      await expect(store.findById(ACME, records[999]?.id ?? '')).resolves.toMatchObject({ lastUsedAt: new Date(5) });
    });
  });

  /** The commands on keys of this store that clients sent meanwhile; those inside of scripts are not sent. */
  async function commandsDuring(work: () => Promise<unknown>): Promise<string[]> {
    const monitor = await raw.monitor();
    const seen: string[][] = [];
    const ended = new Promise<void>((resolve) => {
      monitor.on('monitor', (_time: string, args: string[], source: string) => {
        if (args[0]?.toLowerCase() === 'echo' && args[1] === keyPrefix) resolve();
        else if (source !== 'lua' && args.some((arg) => arg.startsWith(keyPrefix))) seen.push(args);
      });
    });
    try {
      await work();
      await raw.echo(keyPrefix);
      await ended;
    } finally {
      monitor.disconnect();
    }
    return seen.map(([command = '']) => command);
  }
});
