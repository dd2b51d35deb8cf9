import { createInterface } from 'node:readline';
import { Redis } from 'ioredis';
import type { ApiKeyRecord } from '../../../src/api-key/api-key-record.js';
import { RedisApiKeyStore } from '../../../src/stores/redis/index.js';
import { ACME, newRecord, rotation } from './records.js';
import type { Said } from './redis-processes.js';

/** Another process on the same keys: bundled and started by redis-processes.ts. */
const [url = '', keyPrefix = '', job = '', ...ids] = process.argv.slice(2);
const client = new Redis(url);
client.on('error', () => undefined);
const store = new RedisApiKeyStore(client, { keyPrefix });

function say(said: Said): void {
  // Written before the next step begins, so that whoever kills the process knows what was acknowledged.
  process.stdout.write(`${JSON.stringify(said)}\n`);
}

async function rotate(record: ApiKeyRecord): Promise<ApiKeyRecord | undefined> {
  const [old, successor] = rotation(record);
  if (!(await store.rotate(old, successor))) {
    say({ did: 'refused', id: record.id });
    return undefined;
  }
  say({ did: 'rotated', id: record.id, to: successor.id });
  return successor;
}

async function rotateEach(): Promise<void> {
  for (const id of ids) {
    const record = await store.findById(ACME, id);
    if (record !== null) await rotate(record);
  }
}

/** Many changes at once, without end. */
async function churn(): Promise<never> {
  for (;;) {
    await Promise.all(
      Array.from({ length: 8 }, async (_, lane) => {
        const record = newRecord();
        if (!(await store.insert(record))) throw new Error('An id that was drawn is taken.');
        const uses = [record, ...ids.map((id) => ({ id }))].map(({ id }) => ({ id, at: new Date() }));
        const [successor] = await Promise.all([rotate(record), store.recordUses(uses)]);
        if (successor === undefined || lane % 2 === 0) return;
        await store.revoke(ACME, successor.id, new Date());
        say({ did: 'revoked', id: successor.id });
      }),
    );
  }
}

await client.ping();
say({ did: 'ready' });
await new Promise((resolve) => createInterface(process.stdin).once('line', resolve));
if (job === 'churn') await churn();
await rotateEach();
say({ did: 'finished' });
client.disconnect();
process.stdin.destroy();
