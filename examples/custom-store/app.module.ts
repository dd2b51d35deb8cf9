import { Module, type DynamicModule, type OnApplicationShutdown } from '@nestjs/common';
import { KeyfenceModule } from 'nestjs-keyfence';
import { DataSource } from 'typeorm';
import { ApiKeyEntity } from './api-key.entity.js';
import { KeysController } from './keys.controller.js';
import { TypeOrmApiKeyStore } from './typeorm-api-key.store.js';

/** The application's connection to its database, which the store shares. */
@Module({})
class DatabaseModule implements OnApplicationShutdown {
  constructor(private readonly dataSource: DataSource) {}

  static connect(url: string): DynamicModule {
    const useFactory = (): Promise<DataSource> =>
      new DataSource({
        type: 'postgres',
        url,
        entities: [ApiKeyEntity],
        // Makes the table: for a first try. Write a migration instead.
        synchronize: true,
      }).initialize();
    return { module: DatabaseModule, providers: [{ provide: DataSource, useFactory }], exports: [DataSource] };
  }

  async onApplicationShutdown(): Promise<void> {
    await this.dataSource.destroy();
  }
}

@Module({})
export class AppModule {
  /** @param url of a PostgreSQL database */
  static create(url: string): DynamicModule {
    return {
      module: AppModule,
      imports: [
        KeyfenceModule.forRootAsync({
          imports: [DatabaseModule.connect(url)],
          inject: [DataSource],
          useFactory: (dataSource: DataSource) => ({ store: new TypeOrmApiKeyStore(dataSource) }),
        }),
      ],
      controllers: [KeysController],
    };
  }
}
