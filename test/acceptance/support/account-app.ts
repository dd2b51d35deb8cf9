import { Injectable, type CallHandler, type ExecutionContext, type NestInterceptor } from '@nestjs/common';
import { APP_INTERCEPTOR } from '@nestjs/core';
import type { Observable } from 'rxjs';
import { ApiKeyService } from '../../../src/api-key/api-key.service.js';
import type { ApiKeyStore } from '../../../src/api-key/api-key.store.js';
import type { ApiKeyRecord } from '../../../src/api-key/api-key-record.js';
import type { NewApiKey } from '../../../src/api-key/new-api-key.js';
import type { KeyfenceEvent } from '../../../src/events/keyfence-event.js';
import { KeyfenceEvents } from '../../../src/events/keyfence-events.service.js';
import { KeyfenceModule } from '../../../src/keyfence.module.js';
import type { KeyfenceOptions } from '../../../src/options.js';
import { Clock } from '../../../src/time/clock.js';
import { startApp, type AppSettings, type TestApp } from '../../support/adapters.js';
import type { Answer } from '../../support/send.js';
import { TestClock } from '../../support/test-clock.js';
import { controllersOn } from './controllers.js';
import type { Way } from './ways.js';

/** Notes every handler that runs: a refusal that comes after the handler is none. */
@Injectable()
class Journal implements NestInterceptor {
  readonly runs: string[] = [];

  intercept(context: ExecutionContext, next: CallHandler): Observable<unknown> {
    this.runs.push(`${context.getClass().name}.${context.getHandler().name}`);
    return next.handle();
  }
}

/** A key of a test: its record, and its text. */
export interface HeldKey {
  readonly record: ApiKeyRecord;
  readonly text: string;
}

/** An application that uses Keyfence as a team would, with the real services: only the clock is the test's. */
export interface AccountApp extends TestApp {
  readonly service: ApiKeyService;
  readonly clock: TestClock;
  readonly runs: string[];
  /** Everything that was told, in order. */
  readonly events: KeyfenceEvent[];
  /** A key of tenant `acme` with `data:read`, but for what is given; issued by the system. */
  issue(key?: Partial<NewApiKey>, tenant?: string): Promise<HeldKey>;
  /** Sends a body as JSON. */
  call(line: string, key?: string, body?: object): Promise<Answer>;
}

/** All that a manager of keys may do in these tests. */
export const MANAGER_SCOPES = ['keys:*', 'data:*', 'files:*', 'reports:read'];

export async function startAccountApp(
  way: Way,
  store: ApiKeyStore,
  options: Partial<KeyfenceOptions> = {},
  { clock = new TestClock(), ...settings }: AppSettings & { readonly clock?: TestClock } = {},
): Promise<AccountApp> {
  const journal = new Journal();
  const started = await startApp(
    way.platform,
    {
      imports: [KeyfenceModule.forRoot({ store, ...way.options, ...options })],
      controllers: controllersOn(way.platform),
      providers: [{ provide: APP_INTERCEPTOR, useValue: journal }],
    },
    { ...settings, override: (builder) => builder.overrideProvider(Clock).useValue(clock) },
  );
  const service = started.app.get(ApiKeyService);
  const events: KeyfenceEvent[] = [];
  started.app.get(KeyfenceEvents).stream.subscribe((event) => events.push(event));
  return Object.assign(started, {
    service,
    clock,
    runs: journal.runs,
    events,
    issue: async (key: Partial<NewApiKey> = {}, tenant = 'acme') => {
      const { record, secret } = await service
        .forTenant(tenant)
        .issue({ name: 'a key', scopes: ['data:read'], ...key });
      return { record, text: secret.reveal() };
    },
    call: (line: string, key?: string, body?: object) =>
      started.send(line, {
        key,
        headers: body === undefined ? {} : { 'content-type': 'application/json' },
        body: body === undefined ? undefined : JSON.stringify(body),
      }),
  });
}

/** What a caller can tell two answers apart by. */
export function visible({ status, headers, text }: Answer): object {
  const others = Object.entries(headers).filter(([name]) => name !== 'date');
  return { status, headers: Object.fromEntries(others), text };
}

/** The `record` and the `key` of an answer to issuing or rotating over HTTP. */
export function keyIn({ body }: Answer): { readonly record: ApiKeyRecord; readonly key: string } {
  return body as { record: ApiKeyRecord; key: string };
}

/** What an answer with a refusal must be, without its message. */
export function refusal(status: number, errorCode: string): object {
  return { status, body: { statusCode: status, errorCode } };
}
