import { mkdirSync } from 'node:fs';
import { Module, type DynamicModule, type Type } from '@nestjs/common';
import { InMemoryApiKeyStore, KeyfenceModule } from 'nestjs-keyfence';
import { FilesController } from './files.controller.js';
import { HealthController } from './health.controller.js';
import { WhoamiController } from './whoami.controller.js';

@Module({})
export class AppModule {
  /**
   * @param root the directory that holds one directory for each tenant
   * @param filesController how files are served, which depends on the HTTP framework
   */
  static create(root: string, filesController: Type = FilesController): DynamicModule {
    mkdirSync(root, { recursive: true, mode: 0o750 });
    return {
      module: AppModule,
      imports: [KeyfenceModule.forRoot({ store: new InMemoryApiKeyStore(), files: { root } })],
      controllers: [HealthController, WhoamiController, filesController],
    };
  }
}
