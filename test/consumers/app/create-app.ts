import type { INestApplication } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { ExpressAdapter } from '@nestjs/platform-express';
import { FastifyAdapter } from '@nestjs/platform-fastify';
import { ApiKeyService, FileService } from 'nestjs-keyfence';
import { AppModule } from './app.module.js';
import type { Platform } from './platform.js';

/** The texts of the keys of two tenants; `writer` is one of acme's that may write reports. */
export interface Keys {
  readonly acme: string;
  readonly globex: string;
  readonly writer: string;
}

export interface RunningApp {
  readonly app: INestApplication;
  readonly url: string;
  readonly keys: Keys;
}

/** Starts the application on loopback, with a file for each of two tenants. */
export async function createApp(platform: Platform, root: string): Promise<RunningApp> {
  const adapter = platform === 'fastify' ? new FastifyAdapter() : new ExpressAdapter();
  const app = await NestFactory.create(AppModule.create(platform, root), adapter, { logger: ['error', 'warn'] });
  await app.init();
  for (const tenantId of ['acme', 'globex']) {
    await app.get(FileService).forTenant(tenantId).writeFile('notes/hello.txt', `Hello from ${tenantId}.`);
  }
  const keys = {
    acme: await issueKey(app, 'acme', 'files:read'),
    globex: await issueKey(app, 'globex', 'files:read'),
    writer: await issueKey(app, 'acme', 'reports:write'),
  };
  await app.listen(0, '127.0.0.1');
  return { app, url: await app.getUrl(), keys };
}

async function issueKey(app: INestApplication, tenantId: string, scope: string): Promise<string> {
  const { secret } = await app
    .get(ApiKeyService)
    .forTenant(tenantId)
    .issue({ name: 'test', scopes: [scope] });
  return secret.reveal();
}
