import { fileURLToPath } from 'node:url';
import { NestFactory } from '@nestjs/core';
import { FastifyAdapter, type NestFastifyApplication } from '@nestjs/platform-fastify';
import { AppModule } from '../quick-start/app.module.js';
import { FilesController } from './files.controller.js';
import { start } from '../quick-start/start.js';

const data = process.env.DATA_DIRECTORY ?? fileURLToPath(new URL('../../fastify/data', import.meta.url));
const adapter = new FastifyAdapter({ forceCloseConnections: true });

// Uploads of any type arrive as they were sent, so nothing may parse them first.
adapter.getInstance().removeAllContentTypeParsers();
adapter.getInstance().addContentTypeParser('*', (_request, _payload, done) => {
  done(null);
});

await start(
  await NestFactory.create<NestFastifyApplication>(AppModule.create(data, FilesController), adapter, {
    bodyParser: false,
  }),
);
