import { AsyncLocalStorage } from 'node:async_hooks';
import { createHash, timingSafeEqual } from 'node:crypto';
import {
  Controller,
  Get,
  Injectable,
  Module,
  UnauthorizedException,
  UseGuards,
  type CanActivate,
  type DynamicModule,
  type ExecutionContext,
  type NestModule,
  type Provider,
  type Type,
} from '@nestjs/common';
import { HttpAdapterHost } from '@nestjs/core';
import { AuthGuard, PassportStrategy } from '@nestjs/passport';
import { HeaderAPIKeyStrategy } from 'passport-headerapikey';
import { KeyfenceModule, RequireScopes, type ApiKeyStore, type KeyfenceOptions } from 'nestjs-keyfence';

export const VARIANTS = [
  'bare',
  'plain',
  'plain-context',
  'guard',
  'guard-no-context',
  'middleware',
  'middleware-no-context',
  'passport',
] as const;
export type Variant = (typeof VARIANTS)[number];

/** What each variant is, for the table. */
export const DESCRIPTIONS: Readonly<Record<Variant, string>> = {
  bare: 'bare route',
  plain: 'plain guard + Map',
  'plain-context': 'plain guard + Map in AsyncLocalStorage',
  guard: 'Keyfence guard alone',
  'guard-no-context': 'the same, tenantContext: false',
  middleware: 'Keyfence guard + middleware',
  'middleware-no-context': 'the same, tenantContext: false',
  passport: 'passport-headerapikey',
};

/** What a team keeps that writes its own check: the digest of each key and whose it is. */
class PlainKeys {
  readonly #keys = new Map<string, { readonly tenantId: string; readonly digest: Buffer }>();

  constructor(texts: readonly string[]) {
    for (const text of texts) {
      const digest = createHash('sha256').update(text).digest();
      this.#keys.set(digest.toString('hex'), { tenantId: 'acme', digest });
    }
  }

  find(text: string): { readonly tenantId: string } | undefined {
    const digest = createHash('sha256').update(text).digest();
    const record = this.#keys.get(digest.toString('hex'));
    return record !== undefined && timingSafeEqual(record.digest, digest) ? record : undefined;
  }
}

interface PlainRequest {
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  tenantId?: string;
}

/** The guard that a team writes by hand. It has no scopes, no expiry and no default denial. */
@Injectable()
class PlainGuard implements CanActivate {
  constructor(private readonly keys: PlainKeys) {}

  // eslint-disable-next-line @typescript-eslint/require-await -- such guards are asynchronous, since their stores are
  async canActivate(context: ExecutionContext): Promise<boolean> {
    const request = context.switchToHttp().getRequest<PlainRequest>();
    const key = request.headers['x-api-key'];
    const record = typeof key === 'string' ? this.keys.find(key) : undefined;
    if (record === undefined) throw new UnauthorizedException();
    request.tenantId = record.tenantId;
    return true;
  }
}

/** The tenant of the request that runs, for services: a plain guard with this gives what Keyfence gives by default. */
const tenants = new AsyncLocalStorage<{ tenantId?: string }>();

@Injectable()
class PlainContextGuard extends PlainGuard {
  override async canActivate(context: ExecutionContext): Promise<boolean> {
    const admitted = await super.canActivate(context);
    const store = tenants.getStore();
    if (store !== undefined) store.tenantId = context.switchToHttp().getRequest<PlainRequest>().tenantId;
    return admitted;
  }
}

interface Fastify {
  addHook(name: 'preHandler', hook: (request: unknown, reply: unknown, done: () => void) => void): void;
}

/** Mounted in the cheapest way that there is, on the framework itself. */
@Module({})
class PlainContextModule implements NestModule {
  constructor(private readonly host: HttpAdapterHost) {}

  configure(): void {
    const adapter = this.host.httpAdapter;
    if (adapter.getType() === 'fastify') {
      adapter.getInstance<Fastify>().addHook('preHandler', (_request, _reply, done) => {
        tenants.run({}, done);
      });
    } else {
      adapter.use((_request: unknown, _response: unknown, next: () => void) => {
        tenants.run({}, next);
      });
    }
  }
}

type PassportBase = new (header: { header: string; prefix: string }, passRequest: boolean) => object;

/** The same check behind Passport. */
@Injectable()
class PlainStrategy extends (PassportStrategy(HeaderAPIKeyStrategy, 'headerapikey') as unknown as PassportBase) {
  constructor(private readonly keys: PlainKeys) {
    super({ header: 'x-api-key', prefix: '' }, false);
  }

  validate(key: string): { readonly tenantId: string } | false {
    return this.keys.find(key) ?? false;
  }
}

@Controller('files')
class BareController {
  @Get(':id')
  read(): object {
    return { ok: true };
  }
}

@UseGuards(PlainGuard)
@Controller('files')
class PlainController extends BareController {
  @Get(':id')
  override read(): object {
    return { ok: true };
  }
}

@UseGuards(PlainContextGuard)
@Controller('files')
class PlainContextController extends BareController {
  @Get(':id')
  override read(): object {
    return { ok: true };
  }
}

@Controller('files')
class KeyfenceController {
  @Get(':id')
  @RequireScopes('files:read')
  read(): object {
    return { ok: true };
  }
}

@UseGuards(AuthGuard('headerapikey'))
@Controller('files')
class PassportController {
  @Get(':id')
  read(): object {
    return { ok: true };
  }
}

@Module({})
class BenchModule {}

/** An application with one route, `GET /files/:id`. */
export function appOf(variant: Variant, store: ApiKeyStore, texts: readonly string[]): DynamicModule {
  const keys: Provider = { provide: PlainKeys, useValue: new PlainKeys(texts) };
  const keyfence = (mount: boolean, options?: Partial<KeyfenceOptions>): DynamicModule =>
    moduleOf(
      KeyfenceController,
      [],
      [KeyfenceModule.forRoot({ store, middleware: { mount }, allowInMemoryStore: true, ...options })],
    );
  switch (variant) {
    case 'bare':
      return moduleOf(BareController, []);
    case 'plain':
      return moduleOf(PlainController, [keys]);
    case 'plain-context':
      return moduleOf(PlainContextController, [keys], [{ module: PlainContextModule }]);
    case 'guard':
      return keyfence(false);
    case 'guard-no-context':
      return keyfence(false, { tenantContext: false });
    case 'middleware':
      return keyfence(true);
    case 'middleware-no-context':
      return keyfence(true, { tenantContext: false });
    case 'passport':
      return moduleOf(PassportController, [keys, PlainStrategy]);
  }
}

function moduleOf(controller: Type, providers: Provider[], imports: DynamicModule[] = []): DynamicModule {
  return { module: BenchModule, imports, controllers: [controller], providers };
}
