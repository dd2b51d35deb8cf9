import { describe, it } from '@jest/globals';
import { Cluster, Redis } from 'ioredis';
import { createClient, createCluster } from 'redis';
import type { RedisClient } from '../../../src/stores/redis/index.js';
import { startRedisCluster } from '../../support/redis-cluster.js';
import { redisHere } from '../../support/redis.js';

/** A client of one of the libraries, and what a test does with it besides. */
export interface ConnectedClient {
  readonly client: RedisClient;
  readonly close: () => void;
}

/** A library against a server or a cluster. */
export interface Topology {
  readonly name: string;
  readonly connect: () => Promise<ConnectedClient>;
}

export interface Topologies {
  readonly topologies: readonly Topology[];
  readonly dispose: () => Promise<void>;
}

/** Both libraries against one server and against a cluster; none, said loudly, where there is no Redis. */
export async function topologiesHere(): Promise<Topologies> {
  const redis = await redisHere();
  const cluster = await startRedisCluster();
  const topologies: Topology[] = [];
  if (redis !== undefined) {
    topologies.push(
      { name: 'ioredis, one server', connect: () => Promise.resolve(connectIoRedis(redis.url)) },
      { name: 'node-redis, one server', connect: () => connectNodeRedis(redis.url) },
    );
  }
  if (cluster !== undefined) {
    const { startupNodes } = cluster;
    topologies.push(
      { name: 'ioredis, a cluster', connect: () => Promise.resolve(connectIoRedisCluster(startupNodes)) },
      { name: 'node-redis, a cluster', connect: () => connectNodeRedisCluster(startupNodes) },
    );
  }
  const dispose = async (): Promise<void> => {
    await Promise.all([redis?.dispose(), cluster?.dispose()]);
  };
  return { topologies, dispose };
}

/** A suite for each; where there is none, one that shows as skipped, after the line that says so. */
export function eachTopology(topologies: readonly Topology[], what: string, suite: (topology: Topology) => void): void {
  for (const topology of topologies) {
    describe(`${what} through ${topology.name}`, () => {
      suite(topology);
    });
  }
  if (topologies.length === 0) it.skip(`${what} (there is no Redis here)`, () => undefined);
}

type Nodes = readonly { readonly host: string; readonly port: number }[];

export function connectIoRedis(url: string): ConnectedClient & { readonly client: Redis } {
  const client = new Redis(url, { retryStrategy: () => 20 });
  client.on('error', () => undefined);
  return {
    client,
    close: () => {
      client.disconnect();
    },
  };
}

export async function connectNodeRedis(url: string): Promise<ConnectedClient> {
  const client = createClient({ url, socket: { reconnectStrategy: () => 20 } });
  client.on('error', () => undefined);
  await client.connect();
  return {
    client,
    close: () => {
      client.destroy();
    },
  };
}

export function connectIoRedisCluster(nodes: Nodes): ConnectedClient {
  const client = new Cluster([...nodes], { clusterRetryStrategy: () => 20 });
  client.on('error', () => undefined);
  return {
    client,
    close: () => {
      client.disconnect();
    },
  };
}

export async function connectNodeRedisCluster(nodes: Nodes): Promise<ConnectedClient> {
  const client = createCluster({ rootNodes: nodes.map((socket) => ({ socket })) });
  client.on('error', () => undefined);
  await client.connect();
  return {
    client,
    close: () => {
      client.destroy();
    },
  };
}

let prefixes = 0;

/** Of this process alone: servers may be shared. */
export function freshPrefix(): string {
  prefixes += 1;
  return `{kf-test-${process.pid}-${Date.now().toString(36)}-${prefixes}}:`;
}

let channels = 0;

export function freshChannel(): string {
  channels += 1;
  return `kf-test-${process.pid}-${Date.now().toString(36)}-${channels}`;
}

/** Clients of a port on which nobody listens. */
export const unreachableClients = {
  ioredis: (port: number): ConnectedClient => connectIoRedis(`redis://127.0.0.1:${port}`),
  'node-redis': (port: number): ConnectedClient => {
    const client = createClient({ url: `redis://127.0.0.1:${port}`, socket: { reconnectStrategy: () => 20 } });
    client.on('error', () => undefined);
    // Without end.
    client.connect().catch(() => undefined);
    return {
      client,
      close: () => {
        client.destroy();
      },
    };
  },
  'ioredis, a cluster': (port: number): ConnectedClient => connectIoRedisCluster([{ host: '127.0.0.1', port }]),
  'node-redis, a cluster': async (port: number): Promise<ConnectedClient> => {
    const client = createCluster({ rootNodes: [{ socket: { host: '127.0.0.1', port } }] });
    client.on('error', () => undefined);
    await client.connect().catch(() => undefined);
    return { client, close: () => undefined };
  },
} as const satisfies Readonly<Record<string, (port: number) => ConnectedClient | Promise<ConnectedClient>>>;
