import { createServer, request as send, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Writable } from 'node:stream';
import { Controller, Get, Inject, NotFoundException } from '@nestjs/common';
import { describe, expect, it } from '@jest/globals';
import { LoggerModule, PinoLogger } from 'nestjs-pino';
import { pino, type LoggerOptions } from 'pino';
import { pinoHttp, type Options } from 'pino-http';
import { pinoRedaction } from '../../src/api-key/pino-redaction.js';
import { redactKeys } from '../../src/api-key/redact-keys.js';
import { KeyfenceConfigurationError } from '../../src/errors/configuration.error.js';
import { PLATFORMS, startApp } from '../support/adapters.js';
import { composeKey } from '../support/sample-key.js';

const KEY = composeKey();
const MASKED = 'kflive_0123456789abcdef_[redacted]';
const FOREIGN = 'some-key-of-another-make-4eC39HqLyjWDarjtT1zdp7dc';

/** Where a logger writes to. */
class Lines extends Writable {
  text = '';

  override _write(chunk: Buffer, _encoding: string, done: () => void): void {
    this.text += chunk.toString();
    done();
  }

  get all(): Record<string, unknown>[] {
    const lines = this.text.split('\n').filter((line) => line !== '');
    return lines.map((line) => JSON.parse(line) as Record<string, unknown>);
  }
}

/** What pino prints of an object. */
function printed(value: object, options: LoggerOptions): string {
  const lines = new Lines();
  pino(options, lines).info(value, 'said');
  return lines.text;
}

/** What pino-http prints of a request with these headers. */
async function printedOf(headers: Record<string, string>, options: Options): Promise<Lines> {
  const lines = new Lines();
  const log = pinoHttp(options, lines);
  const server = createServer((message, response) => {
    log(message, response);
    message.log.warn({ rawHeaders: message.rawHeaders, headers: message.headers }, 'inside');
    response.end();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve, reject) => {
    send({ port, host: '127.0.0.1', agent: false, headers }, (answer) => answer.resume().on('end', resolve))
      .on('error', reject)
      .end();
  });
  await new Promise((resolve) => server.close(resolve));
  return lines;
}

/** A serializer that prints more than is wise. */
const everything = (req: { raw: IncomingMessage }): unknown => ({
  headers: req.raw.headers,
  rawHeaders: req.raw.rawHeaders,
  raw: { headers: req.raw.headers, rawHeaders: req.raw.rawHeaders },
});

describe.each<[string, Options]>([
  ['as it is', {}],
  ['with requests under another name', { customAttributeKeys: { req: 'request' } }],
  ['with a serializer that prints all headers', { serializers: { req: everything } }],
  ['with that and another name', { serializers: { req: everything }, customAttributeKeys: { req: 'request' } }],
])('pino-http %s', (_how, options) => {
  const headers = { 'x-api-key': KEY, authorization: `Bearer ${KEY}`, 'x-other': 'kept' };

  it('prints keys (control)', async () => {
    expect((await printedOf(headers, options)).text).toContain(KEY);
  });

  it('does not with the redaction, and says which key it was', async () => {
    const { text } = await printedOf(headers, { ...options, redact: pinoRedaction() });
    expect(text).not.toContain(KEY.slice(-43));
    expect(text).toContain(`"x-api-key":"${MASKED}"`);
    expect(text).toContain(`"authorization":"Bearer ${MASKED}"`);
    expect(text).toContain('"x-other":"kept"');
  });

  it('masks keys in any other form altogether', async () => {
    const { text } = await printedOf(
      { 'x-api-key': FOREIGN, authorization: `Basic ${FOREIGN}` },
      { ...options, redact: pinoRedaction() },
    );
    expect(text).not.toContain(FOREIGN);
    expect(text).toContain('"x-api-key":"[redacted]"');
    expect(text).toContain('"authorization":"[redacted]"');
  });
});

describe('a line of pino-http', () => {
  it('is the same as without the redaction, but for the key', async () => {
    const shape = async (options: Options): Promise<unknown> => {
      const { all } = await printedOf({ 'x-api-key': KEY, connection: 'close' }, options);
      return all.map((line) => [Object.keys(line), Object.keys(line.req as object), line.msg]);
    };
    expect(await shape({ redact: pinoRedaction() })).toEqual(await shape({}));
  });

  it('leaves the request as it was', () => {
    const lines = new Lines();
    const raw = { headers: { 'x-api-key': KEY }, rawHeaders: ['X-Api-Key', KEY] };
    pino({ redact: pinoRedaction() }, lines).info({ req: raw, ...raw });
    expect(raw).toEqual({ headers: { 'x-api-key': KEY }, rawHeaders: ['X-Api-Key', KEY] });
    expect(lines.text).not.toContain(KEY);
  });
});

describe('the header', () => {
  it('may have another name, in any case', () => {
    const value = { req: { headers: { 'x-tenant-key': KEY, 'x-api-key': 'kept' }, rawHeaders: ['X-TENANT-Key', KEY] } };
    expect(printed(value, {})).toContain(KEY);
    const text = printed(value, { redact: pinoRedaction({ header: 'X-Tenant-Key' }) });
    expect(text).not.toContain(KEY);
    expect(text).toContain(`["X-TENANT-Key","${MASKED}"]`);
    expect(text).toContain('"x-api-key":"kept"');
  });

  it('Authorization is left alone if the option says so', () => {
    const value = { req: { headers: { authorization: FOREIGN }, rawHeaders: ['Authorization', FOREIGN] } };
    expect(printed(value, { redact: pinoRedaction({ bearer: false }) }).split(FOREIGN)).toHaveLength(3);
    expect(printed(value, { redact: pinoRedaction({ bearer: true }) })).not.toContain(FOREIGN);
  });

  it.each([
    ['two keys', `${KEY}, ${FOREIGN}`],
    ['a key and more', `${KEY} ${FOREIGN}`],
    ['a key between two others', `${FOREIGN}${KEY}`],
    ['a list', [KEY, FOREIGN]],
    ['an object', { key: FOREIGN }],
    ['a number', 4_242],
    ['nothing', null],
  ])('with %s is masked altogether', (_what, value) => {
    const text = printed({ req: { headers: { 'x-api-key': value } } }, { redact: pinoRedaction() });
    expect(text).toContain('"headers":{"x-api-key":"[redacted]"}');
  });

  it.each(['', 'a b', 'a"b', 'a]b', 'a,b', 'a.b', 'a*', 'x\n', '\u00e9'])('cannot be named %j', (header) => {
    expect(() => pinoRedaction({ header })).toThrow(KeyfenceConfigurationError);
  });

  it('has a name that pino takes, whatever it is', () => {
    for (const header of ['a!#$%&+^_|~0-Z', 'x-api-key']) {
      const value = { headers: { [header.toLowerCase()]: KEY } };
      expect(printed(value, { redact: pinoRedaction({ header }) })).not.toContain(KEY);
    }
  });
});

describe('rawHeaders', () => {
  it('keep all that is no key, where it was', () => {
    const rawHeaders = ['Via', 'x-api-key', 'X-API-KEY', KEY, 'Accept', '*/*', 'x-api-key', FOREIGN];
    const text = printed({ rawHeaders }, { redact: pinoRedaction() });
    expect(JSON.parse(text)).toMatchObject({
      rawHeaders: ['Via', 'x-api-key', 'X-API-KEY', MASKED, 'Accept', '*/*', 'x-api-key', '[redacted]'],
    });
  });

  it('that are no list are masked', () => {
    expect(printed({ rawHeaders: KEY }, { redact: pinoRedaction() })).toContain('"rawHeaders":"[redacted]"');
  });
});

describe('what the paths do not name', () => {
  const value = { user: { key: KEY }, req: { url: `/a?key=${KEY}` }, err: new Error(`no such key: ${KEY}`) };

  it('is printed by them alone (control)', () => {
    expect(printed(value, { redact: pinoRedaction() }).split(KEY).length).toBeGreaterThan(3);
  });

  it('is masked by redactKeys as a hook', () => {
    const text = printed(value, { redact: pinoRedaction(), hooks: { streamWrite: redactKeys } });
    expect(text).not.toContain(KEY.slice(-43));
    expect(JSON.parse(text)).toMatchObject({ user: { key: MASKED }, req: { url: `/a?key=${MASKED}` } });
  });
});

@Controller()
class LoggingController {
  constructor(@Inject(PinoLogger) private readonly logger: PinoLogger) {}

  @Get('fine')
  fine(): string {
    this.logger.info('handled');
    return 'fine';
  }

  @Get('missing')
  missing(): never {
    throw new NotFoundException();
  }

  @Get('broken')
  broken(): never {
    throw new Error('broken');
  }
}

/** nestjs-pino makes one logger for each process, whatever is asked for later; so there is a switch on this one. */
const redaction = pinoRedaction();
const switched = { on: true, lines: new Lines() };
const loggerModule = LoggerModule.forRoot({
  // Its own default, '{/*splat}', is not matched on Fastify by this version of Nest.
  forRoutes: ['*splat'],
  pinoHttp: {
    redact: {
      ...redaction,
      censor: (value: unknown, path: string[]) => (switched.on ? redaction.censor(value, path) : value),
    },
    stream: new Writable({
      write: (chunk: Buffer, _encoding, done) => {
        switched.lines.write(chunk, done);
      },
    }),
  },
});

describe.each(PLATFORMS)('nestjs-pino on $name', (platform) => {
  async function printedWith(on: boolean): Promise<Lines> {
    Object.assign(switched, { on, lines: new Lines() });
    await using app = await startApp(platform, { imports: [loggerModule], controllers: [LoggingController] });
    for (const path of ['fine', 'missing', 'broken', 'unknown']) {
      await app.send(`GET /${path}`, { key: KEY, headers: { authorization: `Bearer ${KEY}` } });
    }
    return switched.lines;
  }

  it('prints keys (control)', async () => {
    expect((await printedWith(false)).text).toContain(KEY);
  });

  it('does not with the redaction', async () => {
    const lines = await printedWith(true);
    expect(lines.text).not.toContain(KEY.slice(-43));
    expect(lines.text).toContain(`"x-api-key":"${MASKED}"`);
    expect(lines.all.length).toBeGreaterThanOrEqual(4);
  });
});
