import { KeyfenceConfigurationError } from '../../errors/configuration.error.js';

/** What is used of a client of `ioredis`: of its `Redis` or its `Cluster`. */
export interface IoRedisClient {
  readonly isCluster: boolean;
  call(command: string, args: string[]): Promise<unknown>;
}

/** What is used of a client of `redis` (node-redis): what its `createClient` makes. */
export interface NodeRedisClient {
  readonly isOpen: boolean;
  sendCommand(args: string[]): Promise<unknown>;
}

/** What is used of a cluster client of `redis` (node-redis): what its `createCluster` makes. */
export interface NodeRedisCluster {
  readonly masters: readonly object[];
  sendCommand(firstKey: string | undefined, isReadonly: boolean | undefined, args: string[]): Promise<unknown>;
}

/** A client that the team has already: Keyfence sends its commands through it and never closes it. */
export type RedisClient = IoRedisClient | NodeRedisClient | NodeRedisCluster;

/** Sends one command. `key` says which node of a cluster it is for; without one, any will do. */
export type SendCommand = (args: string[], key?: string) => Promise<unknown>;

/**
 * Client libraries queue commands without end while Redis is away. More waiting ones than these are refused at once, so that
 * an outage costs neither the memory of the process nor a flood when it is over.
 */
const MAX_WAITING = 10_000;

/**
 * The one way to send a command, whatever the client.
 * @param who whom messages name
 */
export function commandsOf(client: RedisClient, who: string): SendCommand {
  const send = senderOf(client, who);
  let waiting = 0;
  return async (args, key) => {
    if (waiting >= MAX_WAITING) throw new Error(`Redis does not answer: ${MAX_WAITING} commands are waiting.`);
    waiting += 1;
    try {
      return await send(args, key);
    } catch (error) {
      // ioredis notes on an error what was sent: a record with its digest, which no log should get.
      if (error instanceof Error) Reflect.deleteProperty(error, 'command');
      throw error;
    } finally {
      waiting -= 1;
    }
  };
}

export function isIoRedis(client: RedisClient): client is IoRedisClient {
  return 'call' in client && typeof client.call === 'function' && 'isCluster' in client;
}

export function isNodeRedisCluster(client: RedisClient): client is NodeRedisCluster {
  return 'masters' in client && 'sendCommand' in client;
}

function senderOf(client: RedisClient, who: string): SendCommand {
  if (!isClient(client)) {
    throw new KeyfenceConfigurationError(
      `${who}: the client`,
      'is no client that is known',
      'Give a Redis or Cluster of "ioredis", or what createClient or createCluster of "redis" made.',
    );
  }
  if (isIoRedis(client)) return ([command = '', ...args]) => client.call(command, args);
  // Never from a replica: it may not know yet that a key was revoked.
  if (isNodeRedisCluster(client)) return (args, key) => client.sendCommand(key, false, args);
  return (args) => client.sendCommand(args);
}

/** A sentinel client of `redis` takes other arguments and is none; `ioredis` speaks to sentinels by its `Redis`. */
function isClient(client: unknown): client is RedisClient {
  if (typeof client !== 'object' || client === null || 'getSentinelNode' in client) return false;
  const { call, sendCommand } = client as Partial<IoRedisClient & NodeRedisClient>;
  return ('isCluster' in client && typeof call === 'function') || typeof sendCommand === 'function';
}
