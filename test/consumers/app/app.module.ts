import { Module, RequestMethod, type DynamicModule } from '@nestjs/common';
import { KeyfenceModule, type KeyfenceOptions } from 'nestjs-keyfence';
import { TenantNames } from '../feature-library/index.cjs';
import { AccountController } from './account.controller.js';
import { AuditService } from './audit.service.js';
import { createFilesController } from './files.controller.js';
import { Journal } from './journal.js';
import { OwnStore, OwnStoreModule } from './own.store.js';
import type { Platform } from './platform.js';

@Module({})
export class AppModule {
  /** @param root the directory that holds one directory for each tenant */
  static create(platform: Platform, root: string): DynamicModule {
    return {
      module: AppModule,
      imports: [
        KeyfenceModule.forRootAsync({
          imports: [OwnStoreModule],
          inject: [OwnStore],
          useFactory: (store: OwnStore): KeyfenceOptions => ({
            store,
            files: { root },
            middleware: { exclude: [{ path: 'unwatched', method: RequestMethod.GET }] },
          }),
        }),
      ],
      controllers: [AccountController, createFilesController(platform)],
      providers: [AuditService, Journal, TenantNames],
    };
  }
}
