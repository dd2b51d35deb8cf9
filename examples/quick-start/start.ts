import type { INestApplication } from '@nestjs/common';
import { issueKeys, seedFiles } from './demo-tenants.js';
import { introduction } from './introduction.js';

const DEFAULT_PORT = 3000;

/** Starts an app of the two examples on loopback and prints how to use it. */
export async function start(app: INestApplication): Promise<void> {
  app.enableShutdownHooks();
  await app.init();
  await seedFiles(app);
  const keys = await issueKeys(app);
  await app.listen(Number(process.env.PORT ?? DEFAULT_PORT), '127.0.0.1');
  console.log(introduction(await app.getUrl(), keys));
}
