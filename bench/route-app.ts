import 'reflect-metadata';
import type { Server } from 'node:http';
import type { INestApplication } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { ExpressAdapter } from '@nestjs/platform-express';
import { FastifyAdapter, type NestFastifyApplication } from '@nestjs/platform-fastify';
import { answerParent } from './child.js';
import { fillStore, unknownKey } from './keys.js';
import { cpuOf } from './measure.js';
import { MemoryConnection } from './memory-connection.js';
import { appOf, type Variant } from './route-variants.js';

/** One application in a process of its own: `node route-app.js <express|fastify> <variant>`. */

export interface RouteQuestion {
  readonly key: 'valid' | 'invalid';
  readonly requests: number;
}

const KEYS = 1_000;
/** Of every round, not counted: another process had the caches before. */
const UNCOUNTED_REQUESTS = 20;

const [adapter, variant = 'bare'] = process.argv.slice(2) as ['express' | 'fastify', Variant?];
const { store, texts } = await fillStore(KEYS);
const app = adapter === 'fastify' ? await startFastify() : await startExpress();
const connection = new MemoryConnection(app.getHttpServer() as Server);
const requestsOf = { valid: texts.map(requestWith), invalid: texts.map(() => requestWith(unknownKey())) };

await requireStatus('valid', 200);
await requireStatus('invalid', variant === 'bare' ? 200 : 401);

answerParent('ready', async (question) => {
  const { key, requests } = question as RouteQuestion;
  await send(key, UNCOUNTED_REQUESTS);
  return (await cpuOf(() => send(key, requests))) / requests;
});

async function send(key: RouteQuestion['key'], requests: number): Promise<void> {
  for (let sent = 0; sent < requests; sent += 1) await connection.send(requestAt(key, sent));
}

function requestAt(key: RouteQuestion['key'], index: number): Buffer {
  const requests = requestsOf[key];
  return requests[index % requests.length] ?? Buffer.alloc(0);
}

function requestWith(text: string): Buffer {
  const lines = [
    'GET /files/17 HTTP/1.1',
    'Host: localhost:3000',
    'Connection: keep-alive',
    'User-Agent: benchmark',
    'Accept: application/json',
    'Accept-Encoding: gzip, deflate',
    `X-Api-Key: ${text}`,
  ];
  return Buffer.from(`${lines.join('\r\n')}\r\n\r\n`);
}

async function requireStatus(key: RouteQuestion['key'], expected: number): Promise<void> {
  const status = await connection.send(requestAt(key, 0));
  if (status !== expected) throw new Error(`${variant} answers ${status} to a key that is ${key}.`);
}

async function startExpress(): Promise<INestApplication> {
  const app: INestApplication = await NestFactory.create(moduleOfApp(), new ExpressAdapter(), { logger: false });
  return app.init();
}

async function startFastify(): Promise<INestApplication> {
  const app = await NestFactory.create<NestFastifyApplication>(moduleOfApp(), new FastifyAdapter(), { logger: false });
  await app.init();
  await app.getHttpAdapter().getInstance().ready();
  return app;
}

function moduleOfApp(): ReturnType<typeof appOf> {
  return appOf(variant, store, texts);
}
