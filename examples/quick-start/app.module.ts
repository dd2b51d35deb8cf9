import { mkdirSync } from 'node:fs';
import { Module, type DynamicModule } from '@nestjs/common';
import { InMemoryApiKeyStore, KeyfenceModule } from 'nestjs-keyfence';
import { FilesController } from './files.controller.js';
import { HealthController } from './health.controller.js';
import { WhoamiController } from './whoami.controller.js';

@Module({})
export class AppModule {
  /** @param root the directory that holds one directory for each tenant */
  static withFilesIn(root: string): DynamicModule {
    mkdirSync(root, { recursive: true, mode: 0o750 });
    return {
      module: AppModule,
      imports: [KeyfenceModule.forRoot({ store: new InMemoryApiKeyStore(), files: { root } })],
      controllers: [HealthController, WhoamiController, FilesController],
    };
  }
}
