import { Injectable, UseInterceptors } from '@nestjs/common';
import { IoAdapter } from '@nestjs/platform-socket.io';
import { ConnectedSocket, SubscribeMessage, WebSocketGateway } from '@nestjs/websockets';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { io, type Socket } from 'socket.io-client';
import { Clock } from '../../src/time/clock.js';
import { InMemoryApiKeyStore } from '../../src/api-key/in-memory-api-key.store.js';
import { KeyfenceModule } from '../../src/keyfence.module.js';
import type { KeyfenceOptions } from '../../src/options.js';
import type { Principal } from '../../src/principal/principal.js';
import type { TenantId } from '../../src/principal/tenant-id.js';
import { RequireScopes, SkipApiKey } from '../../src/scope/require-scopes.decorator.js';
import { CurrentPrincipal, CurrentTenant } from '../../src/tenant/current-principal.decorator.js';
import { TenantContextInterceptor } from '../../src/tenant/tenant-context.interceptor.js';
import { TenantContext } from '../../src/tenant/tenant-context.service.js';
import { PLATFORMS, startApp, type TestApp } from '../support/adapters.js';
import { CountingStore } from '../support/counting-store.js';
import { composeKey, storedKey } from '../support/sample-key.js';
import { TestClock } from '../support/test-clock.js';

@Injectable()
class Journal {
  readonly runs: string[] = [];
}

@Injectable()
class Greeter {
  greet(): string {
    return `hello ${TenantContext.current().tenantId}`;
  }
}

@WebSocketGateway()
class ChatGateway {
  constructor(
    private readonly journal: Journal,
    private readonly greeter: Greeter,
  ) {}

  @SubscribeMessage('say')
  @RequireScopes('chat:write')
  @UseInterceptors(TenantContextInterceptor)
  say(@CurrentTenant() tenant: string): object {
    this.journal.runs.push('say');
    return { tenant, greeting: this.greeter.greet() };
  }

  @SubscribeMessage('plain')
  @RequireScopes('chat:write')
  plain(): string {
    this.journal.runs.push('plain');
    return this.greeter.greet();
  }

  @SubscribeMessage('open')
  @SkipApiKey()
  open(@CurrentPrincipal() principal: Principal | undefined, @ConnectedSocket() socket: object): object {
    this.journal.runs.push('open');
    return { tenant: principal?.tenantId ?? 'nobody', socket: typeof socket };
  }

  @SubscribeMessage('undeclared')
  undeclared(): string {
    this.journal.runs.push('undeclared');
    return 'no';
  }
}

describe('a gateway on socket.io', () => {
  const memory = new InMemoryApiKeyStore();
  const store = new CountingStore(memory);
  const clock = new TestClock();
  let app: TestApp;
  let runs: string[];
  const sockets: Socket[] = [];

  async function start(options: Partial<KeyfenceOptions> = {}): Promise<TestApp> {
    const [express] = PLATFORMS;
    if (express === undefined) throw new Error('no platform');
    return startApp(
      express,
      {
        imports: [KeyfenceModule.forRoot({ store, cache: false, ...options })],
        providers: [ChatGateway, Journal, Greeter],
      },
      {
        configure: (nest) => nest.useWebSocketAdapter(new IoAdapter(nest)),
        override: (builder) => builder.overrideProvider(Clock).useValue(clock),
      },
    );
  }

  beforeEach(async () => {
    app = await start();
    runs = app.app.get(Journal).runs;
    store.reset();
  });

  afterEach(async () => {
    for (const socket of sockets.splice(0)) socket.disconnect();
    await app.close();
  });

  function connect(headers: Record<string, string> = {}, url = app.url): Socket {
    const socket = io(url, { transports: ['websocket'], extraHeaders: headers, forceNew: true, reconnection: false });
    sockets.push(socket);
    return socket;
  }

  /** What comes back: the answer of the handler, or the exception that the gateway sent. */
  function ask(socket: Socket, message: string): Promise<unknown> {
    return new Promise((resolve, reject) => {
      socket.once('exception', resolve);
      socket.once('connect_error', reject);
      socket.emit(message, {}, (answer: unknown) => {
        socket.off('exception', resolve);
        resolve(answer);
      });
    });
  }

  it('lets the key of the handshake in, and knows the tenant', async () => {
    const key = await storedKey(memory, { scopes: ['chat:write'] });
    const socket = connect({ 'x-api-key': key });
    expect(await ask(socket, 'say')).toEqual({ tenant: 'acme', greeting: 'hello acme' });
    expect(runs).toEqual(['say']);
    expect(store.calls).toEqual(['findByLocator']);
  });

  it.each<[string, () => Promise<Record<string, string>>, string, string]>([
    ['no key', () => Promise.resolve({}), 'say', 'missing_credentials'],
    ['an unknown key', () => Promise.resolve({ 'x-api-key': composeKey() }), 'say', 'invalid_api_key'],
    ['a key of another format', () => Promise.resolve({ 'x-api-key': 'a'.repeat(30) }), 'say', 'invalid_api_key'],
    ['a key without the scope', async () => ({ 'x-api-key': await storedKey(memory) }), 'say', 'insufficient_scope'],
    [
      'a message that declares nothing',
      async () => ({ 'x-api-key': await storedKey(memory, { scopes: ['*:*'] }) }),
      'undeclared',
      'undeclared_route',
    ],
    ['a bad key, on a public message', () => Promise.resolve({ 'x-api-key': composeKey() }), 'open', 'invalid_api_key'],
  ])('denies %s with a WsException', async (_what, headers, message, errorCode) => {
    const sent = await headers();
    const exception = await ask(connect(sent), message);
    expect(exception).toMatchObject({ status: 'error', errorCode, message: expect.stringMatching(/^[A-Z].*\.$/) });
    expect(runs).toEqual([]);
    const printed = JSON.stringify(exception) + app.log.textOf();
    if (sent['x-api-key'] !== undefined) expect(printed).not.toContain(sent['x-api-key'].slice(-20));
  });

  it('lets anybody send a public message', async () => {
    expect(await ask(connect(), 'open')).toEqual({ tenant: 'nobody', socket: 'object' });
    const key = await storedKey(memory);
    expect(await ask(connect({ 'x-api-key': key }), 'open')).toEqual({ tenant: 'acme', socket: 'object' });
    expect(runs).toEqual(['open', 'open']);
  });

  it('asks anew for every message, so that a revoked key is denied on the next one', async () => {
    const id = 'key_of_a_socket';
    const key = await storedKey(memory, { id, scopes: ['chat:write'] });
    const socket = connect({ 'x-api-key': key });
    expect(await ask(socket, 'say')).toMatchObject({ tenant: 'acme' });
    expect(await ask(socket, 'say')).toMatchObject({ tenant: 'acme' });
    await memory.revoke('acme' as TenantId, id, clock.in(0));
    expect(await ask(socket, 'say')).toMatchObject({ status: 'error', errorCode: 'invalid_api_key' });
    expect(runs).toEqual(['say', 'say']);
    expect(store.lookUps).toBe(3);
  });

  it('denies a key that expires while the socket is open', async () => {
    const key = await storedKey(memory, { scopes: ['chat:write'], expiresAt: clock.in(1_000) });
    const socket = connect({ 'x-api-key': key });
    expect(await ask(socket, 'say')).toMatchObject({ tenant: 'acme' });
    clock.advance(1_000);
    expect(await ask(socket, 'say')).toMatchObject({ errorCode: 'invalid_api_key' });
    expect(runs).toEqual(['say']);
  });

  it('keeps two sockets apart', async () => {
    const acme = connect({ 'x-api-key': await storedKey(memory, { scopes: ['chat:write'] }) });
    const globex = connect({ 'x-api-key': await storedKey(memory, { tenantId: 'globex', scopes: ['chat:write'] }) });
    const answers = await Promise.all(
      Array.from({ length: 20 }, (_unused, index) => ask(index % 2 === 0 ? acme : globex, 'say')),
    );
    for (const [index, answer] of answers.entries()) {
      const tenant = index % 2 === 0 ? 'acme' : 'globex';
      expect(answer).toEqual({ tenant, greeting: `hello ${tenant}` });
    }
  });

  it('takes no key from the query, from auth or from the data', async () => {
    const key = await storedKey(memory, { scopes: ['chat:write'] });
    const socket = io(app.url, {
      transports: ['websocket'],
      query: { 'x-api-key': key },
      auth: { 'x-api-key': key, token: key },
      forceNew: true,
      reconnection: false,
    });
    sockets.push(socket);
    expect(await ask(socket, 'say')).toMatchObject({ errorCode: 'missing_credentials' });
    expect(runs).toEqual([]);
  });

  it('denies while the store is down', async () => {
    await using failing = await start({
      store: Object.assign(new CountingStore(memory), { findByLocator: () => Promise.reject(new Error('down')) }),
    });
    const exception = await ask(connect({ 'x-api-key': composeKey() }, failing.url), 'say');
    expect(exception).toMatchObject({ status: 'error', errorCode: 'key_store_unavailable' });
    expect(failing.app.get(Journal).runs).toEqual([]);
  });

  it('holds a key that is bound to addresses to the address of the connection', async () => {
    const here = await storedKey(memory, { scopes: ['chat:write'], allowedIps: ['127.0.0.1'] });
    expect(await ask(connect({ 'x-api-key': here }), 'say')).toMatchObject({ tenant: 'acme' });
    const elsewhere = await storedKey(memory, { scopes: ['chat:write'], allowedIps: ['203.0.113.7'] });
    const headers = { 'x-api-key': elsewhere, 'x-forwarded-for': '203.0.113.7' };
    expect(await ask(connect(headers), 'say')).toMatchObject({ errorCode: 'invalid_api_key' });
    expect(runs).toEqual(['say']);
  });

  it('tells whoever forgot the interceptor how to get the tenant', async () => {
    const key = await storedKey(memory, { scopes: ['chat:write'] });
    expect(await ask(connect({ 'x-api-key': key }), 'plain')).toMatchObject({
      status: 'error',
      message: 'Internal server error',
    });
    expect(app.log.textOf('error')).toContain('@UseInterceptors(TenantContextInterceptor)');
  });
});
