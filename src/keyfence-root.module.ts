import * as common from '@nestjs/common';
import {
  ConfigurableModuleBuilder,
  Global,
  Inject,
  Module,
  type CanActivate,
  type MiddlewareConsumer,
  type NestModule,
  type OnModuleInit,
} from '@nestjs/common';
import { APP_GUARD, HttpAdapterHost, ModulesContainer } from '@nestjs/core';
import { ApiKeyAuthenticator } from './api-key/api-key-authenticator.service.js';
import { API_KEY_OPTIONS, type ApiKeyOptions } from './api-key/api-key-options.js';
import { ApiKeyService } from './api-key/api-key.service.js';
import { ApiKeyStore } from './api-key/api-key.store.js';
import { ApiKeyValidationMiddleware } from './api-key/api-key-validation.middleware.js';
import { DeferredKeyWrites } from './api-key/deferred-key-writes.service.js';
import { DenialReporter } from './api-key/denial-reporter.service.js';
import { KeyCache } from './api-key/key-cache.js';
import { KeyInvalidation } from './api-key/key-invalidation.service.js';
import { mountApiKeyValidation } from './api-key/mount-api-key-validation.js';
import { KeyfenceConfigurationError } from './errors/configuration.error.js';
import { KeyfenceEvents } from './events/keyfence-events.service.js';
import { FILE_OPTIONS } from './files/file-options.js';
import { FileService } from './files/file.service.js';
import type { ExcludedRoute, KeyfenceOptions } from './options.js';
import { resolveOptions, type ResolvedOptions } from './resolve-options.js';
import { handlersOf, placeGuard } from './scope/handlers.js';
import { RouteCoverage } from './scope/route-coverage.service.js';
import { SCOPE_OPTIONS } from './scope/scope-options.js';
import { ScopedKeyGuard } from './scope/scoped-key.guard.js';
import { TenantContext } from './tenant/tenant-context.service.js';
import { TenantContextInterceptor } from './tenant/tenant-context.interceptor.js';
import { mountTenantContext } from './tenant/mount-tenant-context.js';
import { Clock, SystemClock } from './time/clock.js';

export const { ConfigurableModuleClass, MODULE_OPTIONS_TOKEN, OPTIONS_TYPE, ASYNC_OPTIONS_TYPE } =
  new ConfigurableModuleBuilder<KeyfenceOptions>({
    moduleName: 'Keyfence',
    optionsInjectionToken: Symbol.for('nestjs-keyfence:options'),
  })
    .setClassMethodName('forRoot')
    .setFactoryMethodName('createKeyfenceOptions')
    .build();

/** Injection token of the options, once they are known to be sound. */
export const RESOLVED_OPTIONS = Symbol.for('nestjs-keyfence:resolved-options');

/** Every route: Nest 11 and later write it one way, Nest 10 another, and each takes the other's for no route at all. */
const EVERY_ROUTE = 'ParseDatePipe' in common ? '{*splat}' : '*';

/**
 * Nest applies global guards to gateways since version 12 only, and to the handlers of a connected microservice only with
 * `inheritAppConfig`. So each such handler gets the guard itself, before Nest binds it. A guard that comes twice looks once.
 */
function guardMessages(modules: ModulesContainer, guard: ScopedKeyGuard | undefined): void {
  for (const { transport, method } of handlersOf(modules)) {
    if (transport === 'ws' || transport === 'rpc') placeGuard(method, guard);
  }
}

/** With `guard: 'manual'` the place of the global guard is taken by one that leaves every handler to its own guards. */
const NO_GUARD: CanActivate = { canActivate: () => true };

const EXPORTED = [
  RESOLVED_OPTIONS,
  API_KEY_OPTIONS,
  ApiKeyAuthenticator,
  ApiKeyService,
  ApiKeyStore,
  ApiKeyValidationMiddleware,
  DenialReporter,
  FileService,
  KeyfenceEvents,
  KeyInvalidation,
  RouteCoverage,
  ScopedKeyGuard,
  TenantContext,
  TenantContextInterceptor,
];

/**
 * What `KeyfenceModule.forRoot()` stands for: all providers, and what is mounted, once for an application.
 * @internal
 */
@Global()
@Module({
  providers: [
    { provide: RESOLVED_OPTIONS, useFactory: resolveOptions, inject: [MODULE_OPTIONS_TOKEN] },
    { provide: ApiKeyStore, useFactory: ({ store }: ResolvedOptions) => store, inject: [RESOLVED_OPTIONS] },
    { provide: API_KEY_OPTIONS, useFactory: ({ apiKey }: ResolvedOptions) => apiKey, inject: [RESOLVED_OPTIONS] },
    { provide: FILE_OPTIONS, useFactory: ({ files }: ResolvedOptions) => files, inject: [RESOLVED_OPTIONS] },
    { provide: SCOPE_OPTIONS, useFactory: ({ scope }: ResolvedOptions) => scope, inject: [RESOLVED_OPTIONS] },
    { provide: Clock, useClass: SystemClock },
    ApiKeyAuthenticator,
    ApiKeyService,
    ApiKeyValidationMiddleware,
    DeferredKeyWrites,
    DenialReporter,
    FileService,
    {
      provide: KeyCache,
      useFactory: ({ cache }: ApiKeyOptions, clock: Clock) => new KeyCache(cache, clock),
      inject: [API_KEY_OPTIONS, Clock],
    },
    KeyfenceEvents,
    KeyInvalidation,
    RouteCoverage,
    ScopedKeyGuard,
    TenantContext,
    TenantContextInterceptor,
    {
      provide: APP_GUARD,
      useFactory: ({ scope }: ResolvedOptions, guard: ScopedKeyGuard) => (scope.guard === 'global' ? guard : NO_GUARD),
      inject: [RESOLVED_OPTIONS, ScopedKeyGuard],
    },
  ],
  exports: EXPORTED,
})
export class KeyfenceRootModule extends ConfigurableModuleClass implements NestModule, OnModuleInit {
  constructor(
    @Inject(RESOLVED_OPTIONS) private readonly options: ResolvedOptions,
    private readonly adapterHost: HttpAdapterHost,
    private readonly modules: ModulesContainer,
    private readonly validation: ApiKeyValidationMiddleware,
    guard: ScopedKeyGuard,
  ) {
    super();
    guardMessages(modules, options.scope.guard === 'global' ? guard : undefined);
  }

  /** @throws KeyfenceConfigurationError if the application has two of these: which store would decide? */
  onModuleInit(): void {
    const mounted = [...this.modules.values()].filter((module) => module.metatype === KeyfenceRootModule);
    if (mounted.length > 1) {
      throw new KeyfenceConfigurationError(
        'KeyfenceModule.forRoot()',
        'was called more than once in this application',
        'Call it in the root module only; its providers are global, and a feature module may import KeyfenceModule bare.',
      );
    }
  }

  configure(consumer: MiddlewareConsumer): void {
    const { middleware, tenantContext } = this.options;
    const adapter = this.adapterHost.httpAdapter;
    // First, so that a refused request enters no context.
    if (middleware.mount && middleware.exclude.length === 0) mountApiKeyValidation(adapter, this.validation);
    if (tenantContext) mountTenantContext(adapter);
    if (middleware.mount && middleware.exclude.length > 0) mountByPatterns(consumer, middleware.exclude);
  }
}

/** Nest matches the patterns of routes. */
function mountByPatterns(consumer: MiddlewareConsumer, exclude: readonly ExcludedRoute[]): void {
  consumer
    .apply(ApiKeyValidationMiddleware)
    .exclude(...exclude.map((route) => (typeof route === 'string' ? route : { ...route })))
    .forRoutes(EVERY_ROUTE);
}
