import {
  BadRequestException,
  Body,
  Controller,
  Delete,
  Get,
  HttpCode,
  Injectable,
  Param,
  Patch,
  Post,
  Put,
  Query,
  Req,
  Scope,
  Sse,
  StreamableFile,
  type Type,
} from '@nestjs/common';
import { Readable } from 'node:stream';
import { of, type Observable } from 'rxjs';
import { ApiKeyService } from '../../../src/api-key/api-key.service.js';
import type { KeyPage } from '../../../src/api-key/api-key.store.js';
import type { ApiKeyRecord } from '../../../src/api-key/api-key-record.js';
import type { ApiKeyChanges, NewApiKey } from '../../../src/api-key/new-api-key.js';
import type { IssuedApiKey, RotateOptions, TenantApiKeys } from '../../../src/api-key/tenant-api-keys.js';
import { KeyfenceConfigurationError } from '../../../src/errors/configuration.error.js';
import type { TenantDirectory } from '../../../src/files/tenant-directory.js';
import { TenantFiles, TenantPath } from '../../../src/files/tenant-files.decorator.js';
import type { Principal } from '../../../src/principal/principal.js';
import {
  RequireAnyScope,
  RequireApiKey,
  RequireScopes,
  ScopesByMethod,
  SkipApiKey,
} from '../../../src/scope/require-scopes.decorator.js';
import { CurrentPrincipal, CurrentTenant } from '../../../src/tenant/current-principal.decorator.js';
import type { Platform } from '../../support/adapters.js';

type JsonBody = Readonly<Record<string, unknown>>;

/** What JSON has as text is a date of the key; all else goes to Keyfence as the client sent it. */
function withDates(body: JsonBody): JsonBody {
  const dates = ['expiresAt', 'notBefore'].filter((field) => typeof body[field] === 'string');
  return { ...body, ...Object.fromEntries(dates.map((field) => [field, new Date(body[field] as string)])) };
}

/** A body that Keyfence refuses is the client's mistake here: the application passes it on as it came. */
async function asked<T>(act: () => Promise<T>): Promise<T> {
  try {
    return await act();
  } catch (error) {
    if (error instanceof KeyfenceConfigurationError) throw new BadRequestException(error.message);
    throw error;
  }
}

interface ShownKey {
  readonly record: ApiKeyRecord;
  readonly key: string;
}

function shown({ record, secret }: IssuedApiKey): ShownKey {
  return { record, key: secret.reveal() };
}

/** What a team writes to let its customers manage their keys: tenant and ceiling come from the caller's own key. */
@Controller('keys')
@ScopesByMethod('keys')
export class KeysController {
  constructor(private readonly service: ApiKeyService) {}

  @Post()
  issue(@CurrentPrincipal() caller: Principal, @Body() body: JsonBody): Promise<ShownKey> {
    return asked(async () => shown(await this.#keysOf(caller).issue(withDates(body) as unknown as NewApiKey)));
  }

  @Get()
  list(@CurrentPrincipal() caller: Principal, @Query() query: Record<string, string>): Promise<KeyPage> {
    const { limit, cursor, all } = query;
    return asked(() =>
      this.#keysOf(caller).list({
        limit: limit === undefined ? undefined : Number(limit),
        cursor,
        includeRevoked: all === 'true',
      }),
    );
  }

  @Get(':id')
  get(@CurrentPrincipal() caller: Principal, @Param('id') id: string): Promise<ApiKeyRecord> {
    return this.#keysOf(caller).get(id);
  }

  @Patch(':id')
  update(
    @CurrentPrincipal() caller: Principal,
    @Param('id') id: string,
    @Body() body: JsonBody,
  ): Promise<ApiKeyRecord> {
    return asked(() => this.#keysOf(caller).update(id, withDates(body) as ApiKeyChanges));
  }

  @Post(':id/rotate')
  rotate(@CurrentPrincipal() caller: Principal, @Param('id') id: string, @Body() body: JsonBody): Promise<ShownKey> {
    return asked(async () => shown(await this.#keysOf(caller).rotate(id, body as RotateOptions)));
  }

  @Delete(':id')
  @HttpCode(200)
  revoke(@CurrentPrincipal() caller: Principal, @Param('id') id: string): Promise<ApiKeyRecord> {
    return this.#keysOf(caller).revoke(id);
  }

  #keysOf(caller: Principal): TenantApiKeys {
    return this.service.forTenant(caller.tenantId, { grantedBy: caller });
  }
}

interface RequestSeen {
  readonly url: string;
  readonly headers: object;
  readonly tenantId?: string;
  /** Fastify's request has its Node request here, where the list of headers is. */
  readonly raw?: { readonly rawHeaders: readonly string[] };
  readonly rawHeaders?: readonly string[];
}

@Controller('whoami')
@RequireApiKey()
export class WhoamiController {
  @Get()
  get(@CurrentPrincipal() principal: Principal, @CurrentTenant() tenant: string, @Req() request: RequestSeen): object {
    return { tenant, requestTenantId: request.tenantId, principal };
  }

  @Get('request')
  request(@Req() { url, headers, raw, rawHeaders }: RequestSeen): object {
    return { url, headers, rawHeaders: raw?.rawHeaders ?? rawHeaders };
  }
}

@Controller('data')
@ScopesByMethod('data')
export class DataController {
  @Get()
  read(@CurrentTenant() tenant: string): object {
    return { tenant };
  }

  @Post()
  write(@CurrentTenant() tenant: string): object {
    return { tenant };
  }

  @Sse('events')
  events(@CurrentTenant() tenant: string): Observable<{ data: object }> {
    return of({ data: { tenant } });
  }

  @Get('download')
  download(@CurrentTenant() tenant: string): StreamableFile {
    return new StreamableFile(Readable.from([`of ${tenant}`]), { type: 'text/plain' });
  }
}

@Controller('reports')
export class ReportsController {
  @Get('all')
  @RequireScopes('reports:read', 'audit:read')
  all(): object {
    return {};
  }

  @Get('any')
  @RequireAnyScope('reports:read', 'admin:read')
  any(): object {
    return {};
  }

  @Get('project')
  @RequireScopes('project:123')
  project(): object {
    return {};
  }

  @Get('everything')
  @RequireScopes('*:*')
  everything(): object {
    return {};
  }
}

@Controller({ path: 'per-request', scope: Scope.REQUEST })
@RequireScopes('data:read')
export class PerRequestController {
  @Get()
  get(@CurrentTenant() tenant: string): object {
    return { tenant };
  }
}

@Controller('health')
@SkipApiKey()
export class HealthController {
  @Get()
  get(): object {
    return { up: true };
  }
}

@Controller('undeclared')
export class UndeclaredController {
  @Get()
  get(): object {
    return {};
  }
}

@Injectable()
class Files {
  @Get('files')
  async list(@TenantFiles() files: TenantDirectory): Promise<string[]> {
    const found: string[] = [];
    for await (const { path } of files.list('', { recursive: true })) found.push(path);
    return found.sort();
  }
}

@Controller()
@ScopesByMethod('files')
class ExpressFilesController extends Files {
  @Get('files/*path')
  read(@TenantFiles() files: TenantDirectory, @TenantPath() path: string): Promise<string> {
    return files.readFile(path, { encoding: 'utf8' });
  }

  @Put('files/*path')
  async write(@TenantFiles() files: TenantDirectory, @TenantPath() path: string): Promise<object> {
    return { size: (await files.writeFile(path, 'overwritten')).size };
  }
}

@Controller()
@ScopesByMethod('files')
class FastifyFilesController extends Files {
  @Get('files/*')
  read(@TenantFiles() files: TenantDirectory, @TenantPath() path: string): Promise<string> {
    return files.readFile(path, { encoding: 'utf8' });
  }

  @Put('files/*')
  async write(@TenantFiles() files: TenantDirectory, @TenantPath() path: string): Promise<object> {
    return { size: (await files.writeFile(path, 'overwritten')).size };
  }
}

/** The frameworks write a wildcard each in its own way. */
export function controllersOn({ name }: Platform): Type[] {
  return [
    KeysController,
    WhoamiController,
    DataController,
    ReportsController,
    PerRequestController,
    HealthController,
    UndeclaredController,
    name === 'fastify' ? FastifyFilesController : ExpressFilesController,
  ];
}
