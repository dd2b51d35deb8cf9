import {
  Controller,
  Get,
  Injectable,
  Module,
  Options,
  Post,
  Req,
  UseGuards,
  type CanActivate,
  type MiddlewareConsumer,
  type NestModule,
  type Type,
} from '@nestjs/common';
import { ApiKeyValidationMiddleware } from '../../src/api-key/api-key-validation.middleware.js';
import { Clock } from '../../src/time/clock.js';
import { InMemoryApiKeyStore } from '../../src/api-key/in-memory-api-key.store.js';
import { KeyfenceModule } from '../../src/keyfence.module.js';
import type { KeyfenceOptions } from '../../src/options.js';
import type { Principal } from '../../src/principal/principal.js';
import { RequireApiKey, RequireScopes, ScopesByMethod, SkipApiKey } from '../../src/scope/require-scopes.decorator.js';
import { ScopedKeyGuard } from '../../src/scope/scoped-key.guard.js';
import { CurrentPrincipal, CurrentTenant } from '../../src/tenant/current-principal.decorator.js';
import { startApp, type AppSettings, type Platform, type TestApp } from './adapters.js';
import { CountingStore } from './counting-store.js';
import { storedKey, type RecordFields } from './sample-key.js';
import { TestClock } from './test-clock.js';

/** Which handlers have run: a refusal that comes after the handler is none. */
@Injectable()
export class Journal {
  readonly runs: string[] = [];
}

@Injectable()
class Files {
  constructor(protected readonly journal: Journal) {}

  @Get()
  list(
    @Req() request: { tenantId?: string },
    @CurrentTenant() tenant: string,
    @CurrentPrincipal() principal: Principal,
  ): object {
    this.journal.runs.push('list');
    return { requestTenantId: request.tenantId, tenant, keyId: principal.keyId };
  }

  @Post()
  write(): object {
    this.journal.runs.push('write');
    return { written: true };
  }

  @Get('any')
  any(): object {
    this.journal.runs.push('any');
    return {};
  }

  @Get('admin')
  @RequireScopes('admin:read', 'audit:read')
  admin(): object {
    this.journal.runs.push('admin');
    return {};
  }

  @Options('any')
  options(): object {
    this.journal.runs.push('options');
    return {};
  }
}

@Injectable()
class Health {
  constructor(protected readonly journal: Journal) {}

  @Get()
  check(
    @Req() request: { tenantId?: string },
    @CurrentPrincipal() principal: Principal | undefined,
  ): { tenantId: string | undefined; keyId: string | undefined } {
    this.journal.runs.push('health');
    return { tenantId: request.tenantId, keyId: principal?.keyId };
  }

  @Get('needs-tenant')
  needsTenant(@CurrentTenant() tenant: string): object {
    this.journal.runs.push('needs-tenant');
    return { tenant };
  }

  @Get('closed')
  @RequireApiKey()
  closed(): object {
    this.journal.runs.push('closed');
    return {};
  }
}

@Injectable()
class Undeclared {
  constructor(protected readonly journal: Journal) {}

  @Get()
  get(): object {
    this.journal.runs.push('undeclared');
    return {};
  }
}

// Each class gets its metadata here and not above, so that a mode can put @UseGuards on a class of its own.
function controllers(guards: Type<CanActivate>[]): Type[] {
  @Controller('files')
  @UseGuards(...guards)
  @ScopesByMethod('files')
  class FilesController extends Files {}

  @Controller('health')
  @UseGuards(...guards)
  @SkipApiKey()
  class HealthController extends Health {}

  @Controller('undeclared')
  @UseGuards(...guards)
  class UndeclaredController extends Undeclared {}

  return [FilesController, HealthController, UndeclaredController];
}

@Module({})
class OwnMiddlewareModule implements NestModule {
  configure(consumer: MiddlewareConsumer): void {
    consumer.apply(ApiKeyValidationMiddleware).forRoutes('{*splat}');
  }
}

/** A way to put Keyfence before the handlers. */
export interface Mode {
  readonly name: string;
  readonly options: Partial<KeyfenceOptions>;
  readonly imports: readonly Type[];
  readonly guards: readonly Type<CanActivate>[];
  /** Whether the middleware stands before the guard and answers a bad key itself. */
  readonly middleware: boolean;
}

/** For `describe.each(MODES)('$name', (mode) => …)`. */
export const MODES: readonly Mode[] = [
  { name: 'middleware and global guard', options: {}, imports: [], guards: [], middleware: true },
  {
    name: 'global guard, middleware not mounted',
    options: { middleware: { mount: false } },
    imports: [],
    guards: [],
    middleware: false,
  },
  {
    name: 'guard alone, by @UseGuards',
    options: { middleware: { mount: false }, guard: 'manual' },
    imports: [],
    guards: [ScopedKeyGuard],
    middleware: false,
  },
  {
    name: 'middleware applied by the application',
    options: { middleware: { mount: false } },
    imports: [OwnMiddlewareModule],
    guards: [],
    middleware: true,
  },
];

export interface GuardedApp extends TestApp {
  readonly store: CountingStore;
  readonly clock: TestClock;
  readonly runs: string[];
  /** Stores a key of tenant `acme` with `files:read`, but for the fields given; gives its text. */
  key(fields?: RecordFields): Promise<string>;
}

/** Boots controllers for files (by method), health (public) and one that declares nothing, in the given mode. */
export async function startGuardedApp(
  platform: Platform,
  mode: Mode,
  options: Partial<KeyfenceOptions> = {},
  settings: AppSettings = {},
): Promise<GuardedApp> {
  const memory = new InMemoryApiKeyStore();
  const store = new CountingStore(memory);
  const clock = new TestClock();
  const middleware = { ...mode.options.middleware, ...options.middleware };
  const started = await startApp(
    platform,
    {
      imports: [KeyfenceModule.forRoot({ store, ...mode.options, ...options, middleware }), ...mode.imports],
      controllers: controllers([...mode.guards]),
      providers: [Journal],
    },
    { ...settings, override: (builder) => builder.overrideProvider(Clock).useValue(clock) },
  );
  return Object.assign(started, {
    store,
    clock,
    runs: started.app.get(Journal).runs,
    key: (fields?: RecordFields) => storedKey(memory, fields),
  });
}
