import 'reflect-metadata';
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Controller, Get, Module, type DynamicModule } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { ExpressAdapter } from '@nestjs/platform-express';
import { FastifyAdapter } from '@nestjs/platform-fastify';
import { KeyfenceModule, RequireScopes } from 'nestjs-keyfence';
import { answerParent } from './child.js';
import { fillStore } from './keys.js';

/** A Nest application with Keyfence and its defaults, on loopback: `node flood-server.js <express|fastify> <keys>`. */

@Controller('files')
class FilesController {
  @Get(':id')
  @RequireScopes('files:read')
  read(): object {
    return { ok: true };
  }
}

@Module({})
class FloodedModule {
  static with(keyfence: DynamicModule): DynamicModule {
    return { module: FloodedModule, imports: [keyfence], controllers: [FilesController] };
  }
}

export interface FloodServerReady {
  readonly port: number;
  readonly texts: readonly string[];
}

const [adapter = '', keys = ''] = process.argv.slice(2);
const { store, texts } = await fillStore(Number(keys));
const app = await NestFactory.create(
  FloodedModule.with(KeyfenceModule.forRoot({ store, allowInMemoryStore: true })),
  adapter === 'fastify' ? new FastifyAdapter() : new ExpressAdapter(),
  { logger: false },
);
await app.listen(0, '127.0.0.1');
const server = app.getHttpServer() as Server;
// A client that rests between two rounds keeps its connections.
server.keepAliveTimeout = 0;
const { port } = server.address() as AddressInfo;
const ready: FloodServerReady = { port, texts };
answerParent(ready, () => Promise.resolve(process.memoryUsage().rss));
