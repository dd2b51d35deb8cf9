import type { INestApplication, ModuleMetadata, NestApplicationOptions } from '@nestjs/common';
import type { AbstractHttpAdapter } from '@nestjs/core';
import { ExpressAdapter } from '@nestjs/platform-express';
import { FastifyAdapter } from '@nestjs/platform-fastify';
import { Test, type TestingModuleBuilder } from '@nestjs/testing';
import supertest from 'supertest';
import type TestAgent from 'supertest/lib/agent.js';
import { CapturedLog } from './captured-log.js';
import { send, type Answer, type Sending } from './send.js';

/** An HTTP framework that Nest runs on. */
export interface Platform {
  readonly name: 'express' | 'fastify';
  readonly adapter: () => AbstractHttpAdapter;
}

/** For `describe.each(PLATFORMS)('on $name', (platform) => …)`. */
export const PLATFORMS: readonly Platform[] = [
  { name: 'express', adapter: () => new ExpressAdapter() },
  { name: 'fastify', adapter: () => new FastifyAdapter() },
];

export interface AppSettings {
  /** Called before the app is initialized: global prefix, versioning, CORS, global guards. */
  readonly configure?: (app: INestApplication) => void;
  /** Called before the module is compiled: `overrideProvider` and the like. */
  readonly override?: (builder: TestingModuleBuilder) => TestingModuleBuilder;
  readonly nest?: NestApplicationOptions;
}

/** An app that listens on loopback, at a port that the system chose. `await using` closes it. */
export interface TestApp extends AsyncDisposable {
  readonly app: INestApplication;
  readonly url: string;
  /** All that was logged since the app was made; none of it is printed. */
  readonly log: CapturedLog;
  /** For requests that need no exact target; {@link send} is for those that do. */
  readonly http: TestAgent;
  send(line: string, sending?: Sending): Promise<Answer>;
  close(): Promise<void>;
}

/** Boots a module on a platform. It rejects as the boot does, and leaves nothing open then. */
export async function startApp(
  platform: Platform,
  module: ModuleMetadata,
  { configure, override = (builder) => builder, nest }: AppSettings = {},
): Promise<TestApp> {
  const log = new CapturedLog();
  const compiled = await override(Test.createTestingModule(module).setLogger(log)).compile();
  const app = compiled.createNestApplication(platform.adapter(), { logger: log, forceCloseConnections: true, ...nest });
  configure?.(app);
  try {
    await app.listen(0, '127.0.0.1');
  } catch (error) {
    await app.close().catch(() => undefined);
    throw error;
  }
  const url = (await app.getUrl()).replace('[::1]', '127.0.0.1');
  const close = (): Promise<void> => app.close();
  return {
    app,
    url,
    log,
    http: supertest.agent(url),
    send: (line, sending) => send(url, line, sending),
    close,
    [Symbol.asyncDispose]: close,
  };
}

/** What stops the boot of a module; `undefined` if nothing does, and then the app is closed again. */
export async function bootError(platform: Platform, module: ModuleMetadata): Promise<unknown> {
  let started: TestApp;
  try {
    started = await startApp(platform, module);
  } catch (error) {
    return error;
  }
  await started.close();
  return undefined;
}
