import { readFile } from 'node:fs/promises';
import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { Logger } from '@nestjs/common';
import { FileService } from 'nestjs-keyfence';
import { answerParent } from './child.js';
import type { ServerQuestion, ServerVariant } from './file-server-variants.js';
import { FILES, TENANT } from './tenant-tree.js';

/** A node:http server in a process of its own, that answers with a file: `node file-server.js <root> <variant>`. */

const [root, variant] = process.argv.slice(2) as [string, ServerVariant];
const server = createServer(await listenerOf(variant));
let started = process.cpuUsage();

server.listen(0, '127.0.0.1', () => {
  answerParent((server.address() as AddressInfo).port, (question) => {
    const { user, system } = process.cpuUsage(started);
    if ((question as ServerQuestion) === 'start') started = process.cpuUsage();
    return Promise.resolve(user + system);
  });
});

async function listenerOf(name: ServerVariant): Promise<RequestListener> {
  const read = await readerOf(name);
  return (_request, response) => {
    void read().then((bytes) => {
      response.setHeader('Content-Length', bytes.length);
      response.end(bytes);
    });
  };
}

async function readerOf(name: ServerVariant): Promise<() => Promise<Buffer>> {
  if (name === 'none') {
    const bytes = Buffer.alloc(1024, 'x');
    return () => Promise.resolve(bytes);
  }
  if (name === 'promises') return () => readFile(join(root, TENANT, FILES[3]));
  Logger.overrideLogger(false);
  const files = new FileService({ root, readOnly: true, engine: name });
  await files.onModuleInit();
  return () => files.forTenant(TENANT).readFile(FILES[3]);
}
