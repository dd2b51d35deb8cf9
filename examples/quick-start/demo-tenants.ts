import type { INestApplicationContext } from '@nestjs/common';
import { ApiKeyService, FileService } from 'nestjs-keyfence';

const DEMO_FILES: Readonly<Record<string, Readonly<Record<string, string | Buffer>>>> = {
  acme: {
    'hello.txt': 'Hello from acme.\n',
    'reports/2026-q3.csv': 'month,revenue\n2026-07,1200\n2026-08,1350\n2026-09,1410\n',
    'reports/summary.json': '{ "quarter": "2026-q3", "total": 3960 }\n',
    'images/dot.png': Buffer.from(
      'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==',
      'base64',
    ),
    'backup.bin': Buffer.alloc(1024 * 1024, 'acme'),
  },
  globex: {
    'hello.txt': 'Hello from globex.\n',
    'contracts/nda.txt': 'Confidential: globex only.\n',
    'data.bin': Buffer.alloc(64 * 1024, 'globex'),
  },
};

/** Gives the two tenants their files, as they are announced; other files of theirs stay. */
export async function seedFiles(app: INestApplicationContext): Promise<void> {
  for (const [tenantId, contents] of Object.entries(DEMO_FILES)) {
    const files = app.get(FileService).forTenant(tenantId);
    for (const [path, content] of Object.entries(contents)) {
      await files.writeFile(path, content);
    }
  }
}

/** New keys at every start: the store of this example is in memory. */
export async function issueKeys(app: INestApplicationContext): Promise<Readonly<Record<string, string>>> {
  const keys = app.get(ApiKeyService);
  const issue = async (tenantId: string, name: string, scopes: string[]): Promise<string> => {
    const { secret } = await keys.forTenant(tenantId).issue({ name, scopes });
    return secret.reveal();
  };
  return {
    ACME_KEY: await issue('acme', 'demo', ['files:read', 'files:write']),
    ACME_READ_KEY: await issue('acme', 'demo, read only', ['files:read']),
    GLOBEX_KEY: await issue('globex', 'demo', ['files:read', 'files:write']),
  };
}
