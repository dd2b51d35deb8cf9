import { KeyfenceConfigurationError } from '../../errors/configuration.error.js';
import { commandsOf, isIoRedis, isNodeRedisCluster, type NodeRedisCluster, type RedisClient } from './redis-client.js';

/** What a subscription tells of itself. */
export interface SubscriptionEvents {
  message(text: unknown): void;
  /** The connection is gone, or may be: nothing comes through it any more. Called once or more often. */
  lost(): void;
}

/** One connection that listens to one channel. It does not connect again. */
export interface Subscription {
  /** Resolves when Redis answers on this connection. */
  ping(): Promise<unknown>;
  /** Never throws, also if the connection is gone. */
  close(): void;
}

/** Makes such a connection: resolves when Redis has acknowledged it, rejects if that fails. */
export type OpenSubscription = (channel: string, events: SubscriptionEvents) => Promise<Subscription>;

interface Emitter {
  on(event: string, listener: (...args: unknown[]) => void): unknown;
}

/** One connection of `ioredis`. */
interface IoRedisConnection extends Emitter {
  readonly status: string;
  connect(): Promise<unknown>;
  subscribe(channel: string): Promise<unknown>;
  ping(): Promise<unknown>;
  disconnect(): void;
  duplicate(options: object): IoRedisConnection;
}

/** A cluster gives connections to its nodes. */
interface IoRedisNodes {
  nodes(role: 'master'): IoRedisConnection[];
}

/** One connection of node-redis; versions before 5 have no `destroy`. */
interface NodeRedisConnection extends Emitter {
  connect(): Promise<unknown>;
  subscribe(channel: string, listener: (message: unknown) => void): Promise<unknown>;
  ping(): Promise<unknown>;
  destroy?(): unknown;
  disconnect?(): unknown;
  duplicate(): NodeRedisConnection;
}

interface NodeRedisNodes extends NodeRedisCluster {
  nodeClient(node: object): NodeRedisConnection | Promise<NodeRedisConnection>;
}

/**
 * A connection that listens can do nothing else, so it is a duplicate of the client; of a cluster client, of one to any of its
 * primaries, since a message reaches all nodes.
 * @throws KeyfenceConfigurationError
 */
export function subscriptionsOf(client: RedisClient, who: string): OpenSubscription {
  if (isIoRedis(client)) {
    const send = commandsOf(client, who);
    return async (channel, events) => {
      if (!client.isCluster) return await openIoRedis(client as unknown as IoRedisConnection, channel, events);
      // A cluster knows its nodes once it has answered.
      await send(['PING']);
      return await openIoRedis(anyOf((client as unknown as IoRedisNodes).nodes('master')), channel, events);
    };
  }
  if (isNodeRedisCluster(client)) {
    const cluster = client as NodeRedisNodes;
    return async (channel, events) => openNodeRedis(await cluster.nodeClient(anyOf(cluster.masters)), channel, events);
  }
  if (!('subscribe' in client && 'duplicate' in client)) {
    throw new KeyfenceConfigurationError(
      `${who}: the client`,
      'cannot subscribe',
      'Give what createClient or createCluster of "redis" made, and not a pool.',
    );
  }
  return (channel, events) => openNodeRedis(client as unknown as NodeRedisConnection, channel, events);
}

async function openIoRedis(
  original: IoRedisConnection,
  channel: string,
  events: SubscriptionEvents,
): Promise<Subscription> {
  const connection = original.duplicate({
    lazyConnect: true,
    retryStrategy: () => null,
    autoResubscribe: false,
    maxRetriesPerRequest: 0,
  });
  // Without a listener the library would print it; what failed is said by "close" and by what was asked.
  connection.on('error', () => undefined);
  connection.on('close', () => {
    events.lost();
  });
  connection.on('message', (_channel, message) => {
    events.message(message);
  });
  await connection.connect();
  const close = (): void => {
    // Closing what is closed would keep the process alive for two seconds.
    if (connection.status !== 'close' && connection.status !== 'end') connection.disconnect();
  };
  await orElse(connection.subscribe(channel), close);
  return { ping: () => connection.ping(), close };
}

async function openNodeRedis(
  original: NodeRedisConnection,
  channel: string,
  events: SubscriptionEvents,
): Promise<Subscription> {
  const connection = original.duplicate();
  const close = (): void => {
    closeNodeRedis(connection);
  };
  const connected = new Promise<void>((resolve, reject) => {
    // It would try again and again, by whatever rules the team gave it, before this promise settles.
    connection.on('error', (error) => {
      reject(error instanceof Error ? error : new Error('Redis could not be reached.'));
      events.lost();
    });
    for (const event of ['reconnecting', 'terminated', 'end']) {
      connection.on(event, () => {
        events.lost();
      });
    }
    connection.connect().then(() => {
      resolve();
    }, reject);
  });
  await orElse(connected, close);
  await orElse(
    connection.subscribe(channel, (message) => {
      events.message(message);
    }),
    close,
  );
  return { ping: () => connection.ping(), close };
}

function closeNodeRedis(connection: NodeRedisConnection): void {
  const ignore = (): void => undefined;
  try {
    Promise.resolve(connection.destroy ? connection.destroy() : connection.disconnect?.()).catch(ignore);
  } catch {
    // It throws if it is closed already.
  }
}

/** Any will do, and another one at the next try: the last one may be down. */
function anyOf<T>(nodes: readonly T[]): T {
  const node = nodes[Math.floor(Math.random() * nodes.length)];
  if (node === undefined) throw new Error('The Redis cluster knows no primary yet.');
  return node;
}

async function orElse<T>(promise: Promise<T>, cleanUp: () => void): Promise<T> {
  try {
    return await promise;
  } catch (error) {
    cleanUp();
    throw error;
  }
}
