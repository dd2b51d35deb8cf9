import { createServer } from 'node:net';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { credentials, loadPackageDefinition, Metadata, status, type Client, type ServiceError } from '@grpc/grpc-js';
import { loadSync } from '@grpc/proto-loader';
import { Controller, Module, UseInterceptors, type INestMicroservice } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { GrpcMethod, Transport, type MicroserviceOptions } from '@nestjs/microservices';
import {
  CurrentTenant,
  InMemoryApiKeyStore,
  KeyfenceModule,
  RequireScopes,
  TenantContext,
  TenantContextInterceptor,
} from '../../src/index.js';

const KEY = 'grpc-test-key-of-acme-1';
const BOUND_KEY = 'grpc-test-key-for-10.9.8.7';
const PROTO = fileURLToPath(new URL('./grpc.proto', import.meta.url));

let calls = 0;

@Controller()
@UseInterceptors(TenantContextInterceptor)
class WhoamiController {
  @GrpcMethod('Whoami', 'Tenant')
  @RequireScopes('tenant:read')
  tenant(_data: unknown, _metadata: Metadata, @CurrentTenant() tenant: string): { tenant: string } {
    calls += 1;
    return { tenant: `${tenant}/${TenantContext.current().tenantId}` };
  }

  @GrpcMethod('Whoami', 'Undeclared')
  undeclared(): { tenant: string } {
    calls += 1;
    return { tenant: '' };
  }
}

@Module({
  imports: [
    KeyfenceModule.forRoot({
      store: InMemoryApiKeyStore.fromKeys({
        [KEY]: { tenantId: 'acme', scopes: ['tenant:read'] },
        [BOUND_KEY]: { tenantId: 'acme', scopes: ['tenant:read'], allowedIps: ['10.9.8.7'] },
        'grpc-test-key-of-globex': { tenantId: 'globex', scopes: ['files:read'] },
      }),
    }),
  ],
  controllers: [WhoamiController],
})
class AppModule {}

describe('gRPC', () => {
  let app: INestMicroservice;
  let client: Client & Record<string, unknown>;

  beforeAll(async () => {
    const address = `127.0.0.1:${await freePort()}`;
    app = await NestFactory.createMicroservice<MicroserviceOptions>(AppModule, {
      transport: Transport.GRPC,
      options: { package: 'keyfence.test', protoPath: PROTO, url: address },
      logger: false,
    });
    await app.listen();
    const definition = loadPackageDefinition(loadSync(PROTO)) as unknown as {
      keyfence: { test: { Whoami: new (address: string, channel: unknown) => Client & Record<string, unknown> } };
    };
    client = new definition.keyfence.test.Whoami(address, credentials.createInsecure());
  });
  afterAll(async () => {
    client.close();
    await app.close();
  });
  beforeEach(() => {
    calls = 0;
  });

  function call(method: 'Tenant' | 'Undeclared', keys: readonly string[], data: object = {}): Promise<string> {
    const metadata = new Metadata();
    for (const key of keys) metadata.add('x-api-key', key);
    return new Promise((resolve, reject) => {
      const send = client[method] as (
        data: object,
        metadata: Metadata,
        done: (error: ServiceError | null, answer?: { tenant: string }) => void,
      ) => void;
      send.call(client, data, metadata, (error, answer) => {
        if (error === null) resolve(answer?.tenant ?? '');
        else reject(error);
      });
    });
  }

  it('lets a key in the metadata in', async () => {
    await expect(call('Tenant', [KEY])).resolves.toBe('acme/acme');
    expect(calls).toBe(1);
  });

  it('does not take the address of the caller from its message', async () => {
    await expect(call('Tenant', [BOUND_KEY], { ip: '10.9.8.7' })).rejects.toMatchObject({
      code: status.UNAUTHENTICATED,
    });
    expect(calls).toBe(0);
  });

  it.each([
    ['no key', 'Tenant', [], status.UNAUTHENTICATED, 'An API key is required.'],
    ['an unknown key', 'Tenant', ['grpc-test-key-nobody-has'], status.UNAUTHENTICATED, 'The API key is not valid.'],
    ['two keys', 'Tenant', [KEY, KEY], status.UNAUTHENTICATED, 'The API key is not valid.'],
    [
      'a key without the scope',
      'Tenant',
      ['grpc-test-key-of-globex'],
      status.PERMISSION_DENIED,
      'The API key lacks: tenant:read.',
    ],
    [
      'a handler that declares nothing',
      'Undeclared',
      [KEY],
      status.PERMISSION_DENIED,
      'This route is not open to API keys.',
    ],
  ] as const)('refuses %s', async (_case, method, keys, code, details) => {
    await expect(call(method, keys)).rejects.toMatchObject({ code, details });
    expect(calls).toBe(0);
  });
});

function freePort(): Promise<number> {
  return new Promise((resolve) => {
    const server = createServer();
    server.listen(0, '127.0.0.1', () => {
      const address = server.address();
      server.close(() => {
        resolve(typeof address === 'object' && address !== null ? address.port : 0);
      });
    });
  });
}
