import { setTimeout as sleep } from 'node:timers/promises';
import { Redis } from 'ioredis';
import { hasRedis, type OwnRedis, startOwnRedis } from './redis.js';
import { freePorts } from './test-process.js';

const SLOTS = 16_384;
const NODES = 3;
const JOIN_TIMEOUT = 30_000;

export interface TestRedisCluster {
  readonly nodes: readonly OwnRedis[];
  /** For `new Cluster(startupNodes)` of ioredis. */
  readonly startupNodes: readonly { readonly host: string; readonly port: number }[];
  dispose(): Promise<void>;
}

/** Three masters on loopback, each with a third of the slots. `undefined`, said loudly, where there is no `redis-server`. */
export async function startRedisCluster(): Promise<TestRedisCluster | undefined> {
  if (!hasRedis('what needs a Redis cluster')) return undefined;
  const ports = await freePorts(2 * NODES);
  const busPorts = ports.slice(NODES);
  const started = await Promise.allSettled(ports.slice(0, NODES).map((port, i) => startNode(port, busPorts[i] ?? 0)));
  const nodes = started.flatMap((node) => (node.status === 'fulfilled' ? [node.value] : []));
  const dispose = async () => {
    await Promise.all(nodes.map((node) => node.dispose()));
  };
  try {
    for (const node of started) if (node.status === 'rejected') throw node.reason;
    await join(nodes, busPorts);
  } catch (error) {
    await dispose();
    throw error;
  }
  return { nodes, startupNodes: nodes.map(({ port }) => ({ host: '127.0.0.1', port })), dispose };
}

async function startNode(port: number, busPort: number): Promise<OwnRedis> {
  // Without its own bus port, a node takes its port + 10000, which may be another's or none at all.
  const cluster = ['--cluster-enabled', 'yes', '--cluster-port', `${busPort}`, '--cluster-node-timeout', '2000'];
  return await startOwnRedis(port, { args: cluster });
}

async function join(nodes: readonly OwnRedis[], busPorts: readonly number[]): Promise<void> {
  const clients = nodes.map(({ url }) => new Redis(url));
  try {
    for (const [i, client] of clients.entries()) {
      const first = Math.floor((i * SLOTS) / NODES);
      const last = Math.floor(((i + 1) * SLOTS) / NODES) - 1;
      await client.call('CLUSTER', 'ADDSLOTSRANGE', first, last);
      // Nodes that all claim the epoch 0 take a while to agree.
      await client.call('CLUSTER', 'SET-CONFIG-EPOCH', i + 1);
    }
    // Each meets every later one: quicker than waiting for gossip.
    for (const [i, client] of clients.entries()) {
      for (const [j, node] of nodes.entries()) {
        if (j > i) await client.call('CLUSTER', 'MEET', '127.0.0.1', node.port, busPorts[j] ?? 0);
      }
    }
    await untilAllAgree(clients);
  } finally {
    for (const client of clients) client.disconnect();
  }
}

async function untilAllAgree(clients: readonly Redis[]): Promise<void> {
  const deadline = Date.now() + JOIN_TIMEOUT;
  for (;;) {
    const states = await Promise.all(clients.map((client) => client.cluster('INFO')));
    if (states.every((state) => state.includes('cluster_state:ok') && state.includes(`cluster_size:${NODES}`))) return;
    if (Date.now() > deadline) throw new Error(`the Redis cluster did not form:\n${states.join('\n')}`);
    await sleep(50);
  }
}
