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
  type Provider,
  type Type,
} from '@nestjs/common';
import { AuthGuard, PassportStrategy } from '@nestjs/passport';
import { HeaderAPIKeyStrategy } from 'passport-headerapikey';
import { KeyfenceModule, RequireScopes, type ApiKeyStore } from 'nestjs-keyfence';

export const VARIANTS = ['bare', 'plain', 'guard', 'middleware', 'passport'] as const;
export type Variant = (typeof VARIANTS)[number];

/** What each variant is, for the table. */
export const DESCRIPTIONS: Readonly<Record<Variant, string>> = {
  bare: 'bare route',
  plain: 'plain guard + Map',
  guard: 'Keyfence guard alone',
  middleware: 'Keyfence guard + middleware',
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
  const keyfence = (mount: boolean): DynamicModule =>
    KeyfenceModule.forRoot({ store, middleware: { mount }, allowInMemoryStore: true });
  switch (variant) {
    case 'bare':
      return moduleOf(BareController, []);
    case 'plain':
      return moduleOf(PlainController, [keys]);
    case 'guard':
      return moduleOf(KeyfenceController, [], [keyfence(false)]);
    case 'middleware':
      return moduleOf(KeyfenceController, [], [keyfence(true)]);
    case 'passport':
      return moduleOf(PassportController, [keys, PlainStrategy]);
  }
}

function moduleOf(controller: Type, providers: Provider[], imports: DynamicModule[] = []): DynamicModule {
  return { module: BenchModule, imports, controllers: [controller], providers };
}
