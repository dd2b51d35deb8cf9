/* eslint-disable @typescript-eslint/no-empty-function -- no handler is called here; what it declares is all that matters */
import {
  All,
  Controller,
  Get,
  Head,
  Injectable,
  Post,
  UseGuards,
  type CanActivate,
  type ModuleMetadata,
} from '@nestjs/common';
import { EventPattern, MessagePattern } from '@nestjs/microservices';
import { SubscribeMessage, WebSocketGateway } from '@nestjs/websockets';
import { describe, expect, it } from '@jest/globals';
import { InMemoryApiKeyStore } from '../../src/api-key/in-memory-api-key.store.js';
import { KeyfenceModule } from '../../src/keyfence.module.js';
import type { KeyfenceOptions } from '../../src/options.js';
import {
  RequireAnyScope,
  RequireApiKey,
  RequireScopes,
  ScopesByMethod,
  SkipApiKey,
} from '../../src/scope/require-scopes.decorator.js';
import { RouteCoverage, type RouteRequirement } from '../../src/scope/route-coverage.service.js';
import { ScopedKeyGuard } from '../../src/scope/scoped-key.guard.js';
import { bootError, PLATFORMS, startApp, type Platform, type TestApp } from '../support/adapters.js';

@Controller('files')
@ScopesByMethod('files')
class FilesController {
  @Get(':id')
  read(): void {}

  @Post(['new', '/other/'])
  @RequireScopes('files:create')
  write(): void {}

  helper(): void {}
}

@Controller()
class MixedController {
  @Get()
  @SkipApiKey()
  root(): void {}

  @All('all')
  @RequireAnyScope('a:b', 'c:d')
  all(): void {}

  @Head('forgotten')
  forgotten(): void {}
}

@Controller(['one', 'two'])
@RequireApiKey()
class TwoPathsController {
  @Get('here')
  here(): void {}
}

@WebSocketGateway()
class ChatGateway {
  @SubscribeMessage('say')
  @RequireScopes('chat:write')
  say(): void {}

  @SubscribeMessage('peek')
  peek(): void {}
}

@Controller()
class SumController {
  @MessagePattern({ cmd: 'sum' })
  @RequireScopes('sums:read')
  sum(): void {}

  @EventPattern('happened')
  happened(data: unknown): unknown {
    return data;
  }
}

@Injectable()
class NoHandlers {
  work(): void {}
}

type Row = Pick<RouteRequirement, 'transport' | 'route' | 'access' | 'requires'> & { readonly handler: string };

type Controllers = (new () => unknown)[];

function moduleWith(
  controllers: Controllers,
  options: Partial<KeyfenceOptions> = {},
  gateways: Controllers = [],
): ModuleMetadata {
  return {
    imports: [KeyfenceModule.forRoot({ store: new InMemoryApiKeyStore(), ...options })],
    controllers,
    providers: [NoHandlers, ...gateways],
  };
}

function express(): Platform {
  const [platform] = PLATFORMS;
  if (platform === undefined) throw new Error('There is no platform.');
  return platform;
}

function start(...parts: Parameters<typeof moduleWith>): Promise<TestApp> {
  return startApp(express(), moduleWith(...parts));
}

async function rows(...parts: Parameters<typeof moduleWith>): Promise<Row[]> {
  await using started = await start(...parts);
  return started.app
    .get(RouteCoverage)
    .list()
    .map(({ controller, handler, ...rest }) => ({ ...rest, handler: `${controller}.${handler}` }));
}

describe('list()', () => {
  it('tells of every HTTP handler what it requires', async () => {
    expect(await rows([FilesController, MixedController, TwoPathsController])).toEqual([
      row('http', 'GET /files/:id', 'FilesController.read', 'key', ['files:read (GET, HEAD) or else files:write']),
      row('http', 'POST /files/new', 'FilesController.write', 'key', [
        'files:read (GET, HEAD) or else files:write',
        'files:create',
      ]),
      row('http', 'POST /files/other', 'FilesController.write', 'key', [
        'files:read (GET, HEAD) or else files:write',
        'files:create',
      ]),
      row('http', 'GET /', 'MixedController.root', 'public', []),
      row('http', 'ALL /all', 'MixedController.all', 'key', ['a:b or c:d']),
      row('http', 'HEAD /forgotten', 'MixedController.forgotten', 'undeclared', []),
      row('http', 'GET /one/here', 'TwoPathsController.here', 'key', ['any valid key']),
      row('http', 'GET /two/here', 'TwoPathsController.here', 'key', ['any valid key']),
    ]);
  });

  it('tells of messages of a gateway', async () => {
    expect(await rows([], {}, [ChatGateway])).toEqual([
      row('ws', 'say', 'ChatGateway.say', 'key', ['chat:write']),
      row('ws', 'peek', 'ChatGateway.peek', 'undeclared', []),
    ]);
  });

  it('tells of patterns of a microservice', async () => {
    expect(await rows([SumController])).toEqual([
      row('rpc', '{"cmd":"sum"}', 'SumController.sum', 'key', ['sums:read']),
      row('rpc', 'happened', 'SumController.happened', 'undeclared', []),
    ]);
  });

  it('is empty without handlers', async () => {
    expect(await rows([])).toEqual([]);
  });
});

describe("with guard: 'manual'", () => {
  @Controller('guarded')
  @UseGuards(ScopedKeyGuard)
  @RequireApiKey()
  class GuardedController {
    @Get()
    get(): void {}
  }

  @Controller('partly')
  class PartlyController {
    @Get('guarded')
    @UseGuards(ScopedKeyGuard)
    guarded(): void {}

    @Get('open')
    @RequireApiKey()
    open(): void {}
  }

  @Injectable()
  class OtherGuard implements CanActivate {
    canActivate(): boolean {
      return true;
    }
  }

  @Controller('other')
  @UseGuards(OtherGuard)
  @RequireApiKey()
  class OtherController {
    @Get()
    get(): void {}
  }

  it('tells where ScopedKeyGuard does not stand, whatever is declared there', async () => {
    const found = await rows([GuardedController, PartlyController, OtherController], { guard: 'manual' });
    expect(found.map(({ handler, access }) => `${handler} ${access}`)).toEqual([
      'GuardedController.get key',
      'PartlyController.guarded undeclared',
      'PartlyController.open unguarded',
      'OtherController.get unguarded',
    ]);
  });

  it('counts a guard that extends ScopedKeyGuard', async () => {
    @Injectable()
    class MyKeyGuard extends ScopedKeyGuard {}

    @Controller('mine')
    @UseGuards(MyKeyGuard)
    @RequireApiKey()
    class MineController {
      @Get()
      get(): void {}
    }
    expect(await rows([MineController], { guard: 'manual' })).toMatchObject([{ access: 'key' }]);
  });
});

describe('at boot', () => {
  const ALL = [FilesController, MixedController, SumController];

  it('the log names every undeclared handler, and the lines to add', async () => {
    await using started = await start(ALL, {}, [ChatGateway]);
    const warning = started.log.textOf('warn');
    expect(warning).toContain('3 handler(s) declare no requirement');
    expect(warning).toContain('HEAD /forgotten  forgotten()');
    expect(warning).toContain('happened  happened()');
    expect(warning).toContain('peek  peek()');
    expect(warning).toContain("@RequireScopes('resource:action')  @RequireApiKey()  @SkipApiKey()");
    expect(warning).not.toContain('FilesController');
  });

  it('the log is silent if all declare something (control)', async () => {
    await using started = await start([FilesController]);
    expect(started.log.textOf('warn')).toBe('');
  });

  it("'refuse-boot' stops the app, and names the same handlers", async () => {
    expect(await bootError(express(), moduleWith(ALL, { undeclaredRoutes: 'refuse-boot' }))).toMatchObject({
      name: 'KeyfenceConfigurationError',
      option: 'undeclaredRoutes',
      message: expect.stringContaining('HEAD /forgotten  forgotten()'),
    });
  });

  it("'refuse-boot' starts an app that declares all (control)", async () => {
    await using started = await start([FilesController], { undeclaredRoutes: 'refuse-boot' });
    expect(started.app.get(RouteCoverage).list()).toHaveLength(3);
  });
});

function row(
  transport: Row['transport'],
  route: string,
  handler: string,
  access: Row['access'],
  requires: string[],
): Row {
  return { transport, route, handler, access, requires };
}
