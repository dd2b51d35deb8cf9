import { createApp } from './create-app.js';
import type { Platform } from './platform.js';

const [platform = '', root = ''] = process.argv.slice(2);

/** Tells its parent where it listens; ends when the parent does. */
async function main(): Promise<void> {
  const { app, url, keys } = await createApp(platform as Platform, root);
  process.on('disconnect', () => void app.close());
  process.send?.({ url, keys });
}

void main();
