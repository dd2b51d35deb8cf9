import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import type { Redis } from 'ioredis';
import { createClientPool } from 'redis';
import type { InvalidationListener } from '../../../src/api-key/key-invalidation-bus.js';
import { KeyfenceConfigurationError } from '../../../src/errors/configuration.error.js';
import { RedisInvalidationBus, type IoRedisClient, type RedisClient } from '../../../src/stores/redis/index.js';
import { startRedisCluster } from '../../support/redis-cluster.js';
import { startRedis } from '../../support/redis.js';
import { freePort } from '../../support/test-process.js';
import { until } from './records.js';
import {
  connectIoRedis,
  connectIoRedisCluster,
  connectNodeRedis,
  connectNodeRedisCluster,
  eachTopology,
  freshChannel,
  topologiesHere,
  unreachableClients,
  type ConnectedClient,
} from './redis-clients.js';

/** Notes what it is told. */
class Listener implements InvalidationListener {
  readonly told: string[] = [];
  resets = 0;

  invalidate(locators: readonly string[]): void {
    this.told.push(...locators);
  }

  reset(): void {
    this.resets += 1;
  }
}

const { topologies, dispose } = await topologiesHere();
const server = await startRedis();
// Of its own: a node of it is killed.
const cluster = await startRedisCluster();

afterAll(async () => {
  await dispose();
  await server?.dispose();
  await cluster?.dispose();
});

describe('RedisInvalidationBus: what it is made with', () => {
  const client: IoRedisClient = { isCluster: false, call: () => Promise.resolve(1) };

  it.each(['', 'a b', 'a\n', '\u00e4', 'a'.repeat(101), 7])('refuses the channel %j', (channel) => {
    const make = (): RedisInvalidationBus => new RedisInvalidationBus(client, { channel: channel as string });
    expect(make).toThrow(KeyfenceConfigurationError);
    expect(make).toThrow('channel');
  });

  it.each([0, 99, -1, NaN, 'soon'])('refuses the ping interval %j', (pingInterval) => {
    const make = (): RedisInvalidationBus => new RedisInvalidationBus(client, { pingInterval });
    expect(make).toThrow(KeyfenceConfigurationError);
    expect(make).toThrow('pingInterval');
  });

  it.each([
    ['nothing', undefined],
    ['an object', {}],
    ['a pool of node-redis, which cannot subscribe', createClientPool()],
  ])('refuses %s as a client', (_name, wrong) => {
    expect(() => new RedisInvalidationBus(wrong as unknown as RedisClient)).toThrow(KeyfenceConfigurationError);
  });

  it('sends as many messages as the locators need, and rejects if one could not be sent', async () => {
    const sent: string[][] = [];
    const call = (command: string, args: string[]): Promise<unknown> => {
      sent.push([command, ...args]);
      return sent.length < 3 ? Promise.resolve(0) : Promise.reject(new Error('down'));
    };
    const bus = new RedisInvalidationBus({ isCluster: false, call });
    const locators = Array.from({ length: 101 }, (_, index) => `l${index}`);
    await bus.publish(locators);
    expect(sent).toEqual([
      ['PUBLISH', 'keyfence:invalidation', locators.slice(0, 100).join(' ')],
      ['PUBLISH', 'keyfence:invalidation', 'l100'],
    ]);
    await bus.publish([]);
    expect(sent).toHaveLength(2);
    await expect(bus.publish(['a'])).rejects.toThrow('down');
  });
});

describe('RedisInvalidationBus without Redis', () => {
  it.each(['ioredis', 'node-redis', 'ioredis, a cluster', 'node-redis, a cluster'] as const)(
    'subscribes through %s though Redis is not there',
    async (kind) => {
      const { client, close } = await unreachableClients[kind](await freePort());
      const listener = new Listener();
      const stop = await new RedisInvalidationBus(client).subscribe(listener);
      expect(listener).toMatchObject({ told: [], resets: 0 });
      await stop();
      close();
    },
  );
});

eachTopology(topologies, 'RedisInvalidationBus', ({ connect }) => {
  let clients: readonly [ConnectedClient, ConnectedClient, ConnectedClient];
  const stops: (() => Promise<void>)[] = [];

  beforeAll(async () => {
    clients = await Promise.all([connect(), connect(), connect()]);
  });

  afterEach(async () => {
    for (const stop of stops.splice(0)) await stop();
  });

  afterAll(() => {
    for (const { close } of clients) close();
  });

  const busOn = (index: 0 | 1 | 2, channel: string): RedisInvalidationBus =>
    new RedisInvalidationBus(clients[index].client, { channel });
  const listenOn = async (index: 0 | 1 | 2, channel: string): Promise<Listener> => {
    const listener = new Listener();
    stops.push(await busOn(index, channel).subscribe(listener));
    return listener;
  };

  it('tells all who listen on the channel, of every process, and nobody else', async () => {
    const channel = freshChannel();
    const [first, second, elsewhere] = await Promise.all([
      listenOn(0, channel),
      listenOn(1, channel),
      listenOn(1, freshChannel()),
    ]);
    await busOn(2, channel).publish(['a', 'b']);
    await busOn(0, channel).publish(['c']);
    await until('both are told', () => first.told.length + second.told.length === 6);
    for (const listener of [first, second]) {
      // Two messages that were sent by different clients may change places.
      expect([...listener.told].sort()).toEqual(['a', 'b', 'c']);
      expect(listener.resets).toBe(0);
    }
    expect(elsewhere).toMatchObject({ told: [], resets: 0 });
  });

  it('tells of many keys', async () => {
    const channel = freshChannel();
    const listener = await listenOn(0, channel);
    const locators = Array.from({ length: 1_050 }, (_, index) => `locator-${index}`);
    await busOn(1, channel).publish(locators);
    await until('it is told', () => listener.told.length === locators.length);
    expect([...listener.told].sort()).toEqual([...locators].sort());
  });

  it('makes whoever listens forget everything when what arrives is no message, and goes on', async () => {
    const channel = freshChannel();
    const listener = await listenOn(0, channel);
    const hostile = [
      '',
      ' ',
      '*',
      'a  b',
      '{"a":1}',
      '\u0000',
      'a\nb',
      'x'.repeat(1_000_000),
      'a '.repeat(101),
      '\u{1f511}',
    ];
    for (const [index, text] of hostile.entries()) {
      await publishRaw(clients[1].client, channel, text);
      await until(`it forgets because of ${index}`, () => listener.resets === index + 1);
    }
    expect(listener.told).toEqual([]);
    await busOn(1, channel).publish(['a']);
    await until('it is told', () => listener.told.length === 1);
    expect(listener).toMatchObject({ told: ['a'], resets: hostile.length });
  });

  it('hears nothing more when it has stopped', async () => {
    const channel = freshChannel();
    const [stays, stops_] = [await listenOn(0, channel), new Listener()];
    const stop = await busOn(1, channel).subscribe(stops_);
    await busOn(2, channel).publish(['a']);
    await until('both are told', () => stays.told.length + stops_.told.length === 2);
    await stop();
    await stop();
    await busOn(2, channel).publish(['b']);
    await until('the one that stays is told', () => stays.told.length === 2);
    expect(stops_).toMatchObject({ told: ['a'], resets: 0 });
  });
});

(server ? describe : describe.skip)('RedisInvalidationBus when Redis fails', () => {
  const url = server?.url ?? '';
  let raw: Redis;

  beforeAll(() => {
    raw = connectIoRedis(url).client;
  });

  afterAll(() => {
    raw.disconnect();
  });

  describe.each([
    ['ioredis', (): Promise<ConnectedClient> => Promise.resolve(connectIoRedis(url))],
    ['node-redis', () => connectNodeRedis(url)],
  ])('through %s', (_name, connect) => {
    let connected: ConnectedClient;
    let listener: Listener;
    let channel: string;
    let stop: (() => Promise<void>) | undefined;

    beforeAll(async () => {
      connected = await connect();
    });

    afterEach(() => stop?.());

    afterAll(() => {
      connected.close();
    });

    const listen = async (pingInterval?: number): Promise<RedisInvalidationBus> => {
      [listener, channel] = [new Listener(), freshChannel()];
      const bus = new RedisInvalidationBus(connected.client, { channel, pingInterval });
      stop = await bus.subscribe(listener);
      return bus;
    };
    const listeners = async (): Promise<number> => Number((await raw.pubsub('NUMSUB', channel))[1]);

    it('forgets everything when its connection was killed, and hears again', async () => {
      const bus = await listen();
      for (const count of [1, 2, 3]) {
        expect(await raw.call('CLIENT', 'KILL', 'TYPE', 'pubsub')).toBeGreaterThan(0);
        await until('it forgets', () => listener.resets === count);
        // It listened already when it forgot: nothing can be missed in between.
        expect(await listeners()).toBe(1);
        await bus.publish([`a${count}`]);
        await until('it hears', () => listener.told.includes(`a${count}`));
      }
      expect(listener).toMatchObject({ told: ['a1', 'a2', 'a3'], resets: 3 });
    });

    it('forgets everything when Redis was killed and has started anew, and hears again', async () => {
      const bus = await listen();
      await server?.stop('kill');
      await new Promise((resolve) => setTimeout(resolve, 300));
      expect(listener.resets).toBe(0);
      await server?.start();
      await until('it forgets', () => listener.resets === 1);
      await bus.publish(['a']);
      await until('it hears', () => listener.told.length === 1);
      expect(listener).toMatchObject({ told: ['a'], resets: 1 });
    });

    it('notices a Redis that says nothing any more, though the connection stands', async () => {
      await listen(100);
      const info = await raw.info('server');
      const pid = Number(/process_id:(\d+)/.exec(info)?.[1]);
      process.kill(pid, 'SIGSTOP');
      try {
        // Longer than a ping may take.
        await new Promise((resolve) => setTimeout(resolve, 3_500));
      } finally {
        process.kill(pid, 'SIGCONT');
      }
      await until('it forgets', () => listener.resets === 1);
      await until('one listens', async () => (await listeners()) === 1);
    }, 20_000);

    it('stays connected while nothing happens (control)', async () => {
      await listen(100);
      await new Promise((resolve) => setTimeout(resolve, 500));
      expect(await listeners()).toBe(1);
      expect(listener.resets).toBe(0);
    });

    it('leaves no connection behind when it stops', async () => {
      await listen();
      expect(await listeners()).toBe(1);
      await stop?.();
      await until('nobody listens', async () => (await listeners()) === 0);
    });

    it('leaves no connection behind when it stops while Redis is away', async () => {
      await listen();
      await server?.stop('kill');
      await stop?.();
      await server?.start();
      await until('Redis answers', () =>
        raw.ping().then(
          () => true,
          () => false,
        ),
      );
      await new Promise((resolve) => setTimeout(resolve, 500));
      expect(await listeners()).toBe(0);
      expect(listener).toMatchObject({ told: [], resets: 0 });
    });
  });

  it('forgets everything when Redis comes later than the application', async () => {
    await server?.stop();
    const { client, close } = connectIoRedis(url);
    const [listener, channel] = [new Listener(), freshChannel()];
    const bus = new RedisInvalidationBus(client, { channel });
    const stop = await bus.subscribe(listener);
    expect(listener.resets).toBe(0);
    await server?.start();
    await until('it forgets', () => listener.resets === 1);
    await bus.publish(['a']);
    await until('it hears', () => listener.told.length === 1);
    await stop();
    close();
  });
});

(cluster ? describe : describe.skip)('RedisInvalidationBus when a node of a cluster fails', () => {
  const nodes = cluster?.nodes ?? [];
  const startupNodes = cluster?.startupNodes ?? [];

  it.each([
    ['ioredis', () => connectIoRedisCluster(startupNodes)],
    ['node-redis', () => connectNodeRedisCluster(startupNodes)],
  ])(
    'through %s: forgets everything and listens on another node',
    async (_name, connect) => {
      const { client, close } = await connect();
      const [listener, channel] = [new Listener(), freshChannel()];
      const bus = new RedisInvalidationBus(client, { channel });
      const stop = await bus.subscribe(listener);
      const counts = await Promise.all(nodes.map((node) => listenersAt(node.url, channel)));
      expect([...counts].sort()).toEqual([0, 0, 1]);
      const holder = nodes[counts.indexOf(1)];
      const others = nodes.filter((node) => node !== holder);
      await holder?.stop('kill');
      try {
        await until('it forgets', () => listener.resets > 0, 20_000);
        const now = await Promise.all(others.map((node) => listenersAt(node.url, channel)));
        expect([...now].sort()).toEqual([0, 1]);
        // From the node on which it does not listen.
        const sender = connectIoRedis(others[now.indexOf(0)]?.url ?? '');
        await sender.client.publish(channel, 'a');
        sender.close();
        await until('it hears', () => listener.told.length === 1);
        expect(listener.told).toEqual(['a']);
      } finally {
        await stop();
        close();
        await holder?.start();
        await until(
          'the cluster is whole',
          async () => {
            const states = await Promise.all(nodes.map((node) => clusterStateOf(node.url)));
            return states.every((state) => state.includes('cluster_state:ok'));
          },
          20_000,
        );
      }
    },
    60_000,
  );
});

async function listenersAt(url: string, channel: string): Promise<number> {
  return await asked(url, async (raw) => Number((await raw.pubsub('NUMSUB', channel))[1]));
}

async function clusterStateOf(url: string): Promise<string> {
  return await asked(url, async (raw) => String(await raw.call('CLUSTER', 'INFO')));
}

async function asked<T>(url: string, ask: (raw: Redis) => Promise<T>): Promise<T> {
  const { client, close } = connectIoRedis(url);
  try {
    return await ask(client);
  } finally {
    close();
  }
}

async function publishRaw(client: RedisClient, channel: string, text: string): Promise<void> {
  if ('call' in client) await client.call('PUBLISH', [channel, text]);
  else if ('masters' in client) await client.sendCommand(undefined, false, ['PUBLISH', channel, text]);
  else await client.sendCommand(['PUBLISH', channel, text]);
}
