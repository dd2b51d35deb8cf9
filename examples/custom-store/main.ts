import { NestFactory } from '@nestjs/core';
import { ApiKeyService } from 'nestjs-keyfence';
import { AppModule } from './app.module.js';

const DEFAULT_PORT = 3000;

const url = process.env.DATABASE_URL;
if (url === undefined) throw new Error('Set DATABASE_URL, such as postgres://user:password@127.0.0.1:5432/database');

const app = await NestFactory.create(AppModule.create(url), { forceCloseConnections: true });
app.enableShutdownHooks();
await app.init();
// Somebody has to have the first key: an application issues it from a command or a seed.
const { secret } = await app
  .get(ApiKeyService)
  .forTenant('acme')
  .issue({ name: 'first key', scopes: ['keys:manage', 'files:read'] });
await app.listen(Number(process.env.PORT ?? DEFAULT_PORT), '127.0.0.1');
console.log(`ACME_KEY=${secret.reveal()}`);
console.log(`curl -H "x-api-key: $ACME_KEY" ${await app.getUrl()}/keys`);
console.log(`READY ${await app.getUrl()}`);
