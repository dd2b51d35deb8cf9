import { KeyfenceConfigurationError } from '../errors/configuration.error.js';
import { ID_PATTERN, labelPattern } from './key-pattern.js';
import { REDACTED, redactKeys } from './redact-keys.js';

/** For `pino({ redact })`, and for `pinoHttp: { redact }` of nestjs-pino. */
export interface PinoRedaction {
  readonly paths: string[];
  readonly censor: (value: unknown, path: string[]) => unknown;
}

export interface PinoRedactionOptions {
  /** The header that carries a key: what `apiKey.header` is. Default `'x-api-key'`. */
  readonly header?: string;
  /** Whether `Authorization` is masked too. Default `true`, as a key that was sent there by mistake is still a key. */
  readonly bearer?: boolean;
}

/** Where pino-http, or a serializer of yours, puts a request. */
const REQUESTS = ['req', 'req.raw', 'request', 'request.raw'];

/** A token (RFC 9110, section 5.1), without the characters that have a meaning in a path of pino. */
const HEADER_NAME = /^[!#$%&+^_|~0-9A-Za-z-]+$/;

/** A value that is one key and nothing else, after its secret was masked. */
const ONE_KEY = new RegExp(`^(?:[Bb][Ee][Aa][Rr][Ee][Rr] +)?${labelPattern({})}_${ID_PATTERN}_\\[redacted\\]$`);

/**
 * Keeps keys out of what pino prints of requests: `pino({ redact: pinoRedaction() })`, or
 * `LoggerModule.forRoot({ pinoHttp: { redact: pinoRedaction() } })`.
 *
 * It masks the header that carries keys, and `Authorization`, in `headers` and `rawHeaders` of `req`, `req.raw`, `request`,
 * `request.raw` and of the logged object itself, whatever form the key has. Of a Keyfence key the label and the id stay.
 * All else, such as messages, URLs and errors, and requests that are logged under other names or without a serializer,
 * it does not look at: add `hooks: { streamWrite: redactKeys }` for those.
 * @see https://github.com/pinojs/pino/blob/main/docs/redaction.md
 */
export function pinoRedaction({ header = 'x-api-key', bearer = true }: PinoRedactionOptions = {}): PinoRedaction {
  if (!HEADER_NAME.test(header)) {
    throw new KeyfenceConfigurationError(
      'header',
      `is ${JSON.stringify(header)}`,
      "Give what apiKey.header is, such as 'x-api-key'",
    );
  }
  const names = bearer ? [header.toLowerCase(), 'authorization'] : [header.toLowerCase()];
  const fields = [...names.map((name) => `headers["${name}"]`), 'rawHeaders'];
  return {
    paths: ['', ...REQUESTS.map((request) => `${request}.`)].flatMap((place) => fields.map((field) => place + field)),
    censor: (value, path) => (path.at(-1) === 'rawHeaders' ? censorRawHeaders(value, names) : censorValue(value)),
  };
}

/** A value that holds anything beside one key goes altogether: who knows what it is. */
function censorValue(value: unknown): string {
  const masked = typeof value === 'string' ? redactKeys(value) : REDACTED;
  return ONE_KEY.test(masked) ? masked : REDACTED;
}

function censorRawHeaders(value: unknown, names: readonly string[]): unknown {
  if (!Array.isArray(value)) return REDACTED;
  return value.map((item: unknown, index) => {
    const name: unknown = index % 2 === 1 ? value[index - 1] : undefined;
    return typeof name === 'string' && names.includes(name.toLowerCase()) ? censorValue(item) : item;
  });
}
