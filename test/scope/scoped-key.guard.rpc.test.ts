import type { AddressInfo } from 'node:net';
import { Controller, Injectable } from '@nestjs/common';
import { ClientProxyFactory, EventPattern, MessagePattern, Transport, type ClientProxy } from '@nestjs/microservices';
import { Test } from '@nestjs/testing';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import type { INestApplication, Type } from '@nestjs/common';
import { firstValueFrom } from 'rxjs';
import { InMemoryApiKeyStore } from '../../src/api-key/in-memory-api-key.store.js';
import { KeyfenceModule } from '../../src/keyfence.module.js';
import { RequireApiKey, RequireScopes, SkipApiKey } from '../../src/scope/require-scopes.decorator.js';
import { CapturedLog } from '../support/captured-log.js';
import { CountingStore } from '../support/counting-store.js';
import { composeKey } from '../support/sample-key.js';

@Injectable()
class Journal {
  readonly runs: string[] = [];
}

/** A new class each time: Keyfence marks the handlers of an application, and no test shall depend on the one before. */
function sumController(): Type {
  @Controller()
  class SumController {
    constructor(private readonly journal: Journal) {}

    @MessagePattern('sum')
    @RequireScopes('sums:read')
    sum(): number {
      return this.#run('sum');
    }

    @MessagePattern('any-key')
    @RequireApiKey()
    anyKey(): number {
      return this.#run('any-key');
    }

    @MessagePattern('undeclared')
    undeclared(): number {
      return this.#run('undeclared');
    }

    @MessagePattern('public')
    @SkipApiKey()
    open(): number {
      return this.#run('public');
    }

    @EventPattern('event')
    @RequireScopes('sums:read')
    event(data: unknown): unknown {
      this.#run('event');
      return data;
    }

    #run(name: string): number {
      this.journal.runs.push(name);
      return 1;
    }
  }

  return SumController;
}

/** TCP messages have no headers: there is no place for a key, so what needs one is denied. */
describe('a TCP microservice', () => {
  const store = new CountingStore(new InMemoryApiKeyStore());
  const log = new CapturedLog();

  interface Running {
    readonly app: INestApplication;
    readonly client: ClientProxy;
    readonly runs: string[];
  }

  async function start(
    inheritAppConfig: boolean,
    guard: 'global' | 'manual' = 'global',
    controller = sumController(),
  ): Promise<Running> {
    const module = await Test.createTestingModule({
      imports: [KeyfenceModule.forRoot({ store, guard })],
      controllers: [controller],
      providers: [Journal],
    })
      .setLogger(log)
      .compile();
    const app = module.createNestApplication();
    const options = { transport: Transport.TCP, options: { host: '127.0.0.1', port: 0 } } as const;
    const service = app.connectMicroservice(options, { inheritAppConfig });
    await app.startAllMicroservices();
    const server = service.unwrap<{ address(): AddressInfo }>();
    const client = ClientProxyFactory.create({
      transport: Transport.TCP,
      options: { host: '127.0.0.1', port: server.address().port },
    });
    await client.connect();
    return { app, client, runs: app.get(Journal).runs };
  }

  let running: Running;

  beforeAll(async () => {
    running = await start(true);
  });

  beforeEach(() => {
    running.runs.length = 0;
    store.reset();
  });

  afterAll(async () => {
    running.client.close();
    await running.app.close();
  });

  function ask({ client }: Running, pattern: string, data: object = {}): Promise<unknown> {
    return firstValueFrom(client.send<unknown>(pattern, data)).catch((error: unknown) => error);
  }

  it.each([
    ['sum', 'missing_credentials', 'An API key is required.'],
    ['any-key', 'missing_credentials', 'An API key is required.'],
    ['undeclared', 'missing_credentials', 'An API key is required.'],
  ])('denies %s with an RpcException', async (pattern, errorCode, message) => {
    expect(await ask(running, pattern)).toMatchObject({ status: 'error', errorCode, message });
    expect(running.runs).toEqual([]);
  });

  it('takes no key from the data', async () => {
    const key = composeKey();
    const data = {
      'x-api-key': key,
      headers: { 'x-api-key': key },
      getMap: {},
      raw: { headers: { 'x-api-key': key } },
    };
    const denied = await ask(running, 'sum', data);
    expect(denied).toMatchObject({ errorCode: 'missing_credentials' });
    expect(running.runs).toEqual([]);
    expect(store.calls).toEqual([]);
    expect(JSON.stringify(denied) + log.textOf()).not.toContain(key.slice(-20));
  });

  it('runs a public handler', async () => {
    expect(await ask(running, 'public')).toBe(1);
    expect(running.runs).toEqual(['public']);
  });

  it('does not run an event handler either', async () => {
    await firstValueFrom(running.client.emit('event', {}), { defaultValue: undefined });
    // Messages of one connection are taken in turn, so when this is answered the event has been decided.
    expect(await ask(running, 'public')).toBe(1);
    expect(running.runs).toEqual(['public']);
  });

  it.each([
    ['is guarded without inheritAppConfig too, though Nest takes global guards there for nothing', 'global', []],
    ["is left to its own guards with guard: 'manual' (control)", 'manual', ['sum']],
  ] as const)('%s', async (_what, guard, runs) => {
    const other = await start(false, guard);
    try {
      const answer = await ask(other, 'sum');
      expect(other.runs).toEqual(runs);
      if (guard === 'manual') expect(answer).toBe(1);
      else expect(answer).toMatchObject({ status: 'error', errorCode: 'missing_credentials' });
    } finally {
      other.client.close();
      await other.app.close();
    }
  });

  it('is not guarded by the guard of another application in the process', async () => {
    const controller = sumController();
    const guarded = await start(true, 'global', controller);
    const other = await start(false, 'manual', controller);
    try {
      expect(await ask(guarded, 'sum')).toMatchObject({ errorCode: 'missing_credentials' });
      expect(await ask(other, 'sum')).toBe(1);
    } finally {
      for (const { app, client } of [guarded, other]) {
        client.close();
        await app.close();
      }
    }
  });
});
