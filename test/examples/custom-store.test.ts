import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { DataSource } from 'typeorm';
import { ApiKeyEntity } from '../../examples/custom-store/api-key.entity.js';
import { TypeOrmApiKeyStore } from '../../examples/custom-store/typeorm-api-key.store.js';
import { apiKeyStoreContract } from '../../src/testing/index.js';
import { startPostgres } from '../support/postgres.js';
import { RunningExample } from './running-example.js';

const postgres = await startPostgres();
const describeWithPostgres = postgres === undefined ? describe.skip : describe;

async function connect(url: string): Promise<DataSource> {
  return new DataSource({ type: 'postgres', url, entities: [ApiKeyEntity], synchronize: true }).initialize();
}

afterAll(async () => {
  await postgres?.dispose();
});

describeWithPostgres("examples/custom-store: a team's own store", () => {
  let first: DataSource;
  let second: DataSource;

  beforeAll(async () => {
    const url = (await postgres?.createDatabase())?.connectionString ?? '';
    first = await connect(url);
    second = await connect(url);
  }, 30_000);
  afterAll(async () => {
    await second.destroy();
    await first.destroy();
  });

  const contract = apiKeyStoreContract({
    open: async () => {
      await first.query('TRUNCATE api_key');
      return new TypeOrmApiKeyStore(first);
    },
    openAnother: () => new TypeOrmApiKeyStore(second),
  });

  for (const { name, run } of contract) it(name, run, 30_000);
});

describeWithPostgres('examples/custom-store: the application', () => {
  let example: RunningExample;

  beforeAll(async () => {
    const url = (await postgres?.createDatabase())?.connectionString ?? '';
    example = await RunningExample.start('custom-store', '', { DATABASE_URL: url });
  }, 30_000);
  afterAll(async () => {
    await example.stop();
  });

  it('issues, lists and revokes keys of the tenant, and a revoked key is refused', async () => {
    const key = example.variable('ACME_KEY');
    expect((await example.request('/keys')).status).toBe(401);
    const issued = await example.request('/keys', {
      key,
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ name: 'second key', scopes: ['keys:manage'] }),
    });
    expect(issued.status).toBe(201);
    const second = (await issued.json()) as { readonly key: string; readonly record: { readonly id: string } };
    const listed = await example.request('/keys', { key: second.key });
    expect(await listed.json()).toMatchObject({ items: [{ name: 'first key' }, { name: 'second key' }] });
    expect((await example.request(`/keys/${second.record.id}`, { key, method: 'DELETE' })).status).toBe(200);
    expect((await example.request('/keys', { key: second.key })).status).toBe(401);
  });

  it('lets no key give away more than it holds', async () => {
    const answer = await example.request('/keys', {
      key: example.variable('ACME_KEY'),
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ name: 'more', scopes: ['files:write'] }),
    });
    expect(answer.status).toBe(403);
  });
});
