import { Inject, Module, Optional, type DynamicModule } from '@nestjs/common';
import { KeyfenceConfigurationError } from './errors/configuration.error.js';
import { ASYNC_OPTIONS_TYPE, KeyfenceRootModule, OPTIONS_TYPE, RESOLVED_OPTIONS } from './keyfence-root.module.js';

/**
 * Keyfence in an application: `forRoot()` in the root module, once. Its providers are global. A feature module may import
 * `KeyfenceModule` bare; that mounts nothing.
 * @example
 * @Module({ imports: [KeyfenceModule.forRoot({ store, files: { root: '/srv/tenants' } })] })
 * export class AppModule {}
 */
@Module({})
export class KeyfenceModule {
  /** @throws KeyfenceConfigurationError where it is imported bare and `forRoot()` is called nowhere: nothing would be guarded */
  constructor(@Optional() @Inject(RESOLVED_OPTIONS) options?: object) {
    if (options !== undefined) return;
    throw new KeyfenceConfigurationError(
      'KeyfenceModule',
      'is imported, and KeyfenceModule.forRoot() is called nowhere',
      'Call it in the imports of the root module, once.',
    );
  }

  /** @throws KeyfenceConfigurationError at boot, for a wrong option */
  static forRoot(options: typeof OPTIONS_TYPE): DynamicModule {
    return { module: KeyfenceModule, imports: [KeyfenceRootModule.forRoot(options)], exports: [KeyfenceRootModule] };
  }

  /** As {@link forRoot}, with options from `useFactory` (and `inject`), `useClass` or `useExisting`. */
  static forRootAsync(options: typeof ASYNC_OPTIONS_TYPE): DynamicModule {
    return {
      module: KeyfenceModule,
      imports: [KeyfenceRootModule.forRootAsync(options)],
      exports: [KeyfenceRootModule],
    };
  }
}
