import { fileURLToPath } from 'node:url';
import { NestFactory } from '@nestjs/core';
import { AppModule } from './app.module.js';
import { start } from './start.js';

const data = process.env.DATA_DIRECTORY ?? fileURLToPath(new URL('../../quick-start/data', import.meta.url));

// Uploads of any type arrive as they were sent, so nothing may parse them first.
await start(await NestFactory.create(AppModule.create(data), { bodyParser: false, forceCloseConnections: true }));
