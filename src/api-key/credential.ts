import { REDACTED } from './redact-keys.js';

/** Where a transport keeps a request's headers. The names in `headers` are in lower case, as Node gives them. */
export interface HeaderSource {
  readonly headers: Readonly<Record<string, string | readonly string[] | undefined>>;
  /** Names and values in turn, as they arrived: the only place where a header that was sent twice shows. */
  readonly rawHeaders?: readonly string[];
}

/** The same, of a request that keys may be taken out of. Node's `IncomingMessage` is one. */
export interface MutableHeaderSource {
  readonly headers: Record<string, string | readonly string[] | undefined>;
  readonly rawHeaders?: string[];
  /** On Node's own requests, made of `rawHeaders` when it is first asked for. */
  headersDistinct?: Record<string, string[] | undefined>;
}

/** Which headers may carry a key. The query, the body and cookies never do: they end in logs and in browsers. */
export interface CredentialOptions {
  /** In lower case. */
  readonly header: string;
  /** Whether `Authorization: Bearer` may carry one too. */
  readonly bearer: boolean;
}

/** The text of a credential, not yet read as a key; or that there is none; or that what is there cannot be one. */
export type Credential =
  { readonly status: 'found'; readonly text: string } | { readonly status: 'none' } | { readonly status: 'malformed' };

const NONE: Credential = { status: 'none' };
const MALFORMED: Credential = { status: 'malformed' };

/** No key is longer; a longer text is not worth a hash. */
const MAX_LENGTH = 512;
/** Visible ASCII but the comma: two headers joined into one value are no key. */
const CREDENTIAL = /^[\u0021-\u002b\u002d-\u007e]+$/;
const BEARER = /^bearer +([^ ]+)$/i;

/**
 * Finds the one credential of a request. A header that is doubled, comma-joined, an array, empty, too long, or that holds
 * anything but visible ASCII is malformed; so are two credentials at once (RFC 6750, section 2).
 * @param isKey whether a bearer token is meant as an API key; any other is left to the application's own guards
 */
export function readCredential(
  source: HeaderSource,
  options: CredentialOptions,
  isKey: (bearerToken: string) => boolean,
): Credential {
  const own = readHeader(source, options.header);
  if (!options.bearer || own.status === 'malformed') return own;
  const bearer = readBearer(source, isKey);
  if (own.status === 'none') return bearer;
  return bearer.status === 'none' ? own : MALFORMED;
}

function readHeader(source: HeaderSource, name: string): Credential {
  const value = source.headers[name];
  if (value === undefined) return NONE;
  if (typeof value !== 'string' || value.length > MAX_LENGTH || !CREDENTIAL.test(value)) return MALFORMED;
  return isDoubled(source, name) ? MALFORMED : { status: 'found', text: value };
}

function readBearer(source: HeaderSource, isKey: (token: string) => boolean): Credential {
  const token = bearerToken(source.headers.authorization);
  if (token === undefined || !isKey(token)) return NONE;
  if (token.length > MAX_LENGTH || !CREDENTIAL.test(token) || isDoubled(source, 'authorization')) return MALFORMED;
  return { status: 'found', text: token };
}

function bearerToken(value: string | readonly string[] | undefined): string | undefined {
  return typeof value === 'string' ? BEARER.exec(value)?.[1] : undefined;
}

/** Node joins most doubled headers and drops a second `Authorization`, so only the raw list shows them. */
function isDoubled({ rawHeaders = [] }: HeaderSource, name: string): boolean {
  let count = 0;
  for (let index = 0; index < rawHeaders.length; index += 2) {
    const candidate = rawHeaders[index];
    if (isNamed(candidate, name)) count += 1;
  }
  return count > 1;
}

/**
 * Takes keys out of a request, in place, so that no later code and no logger finds one there: all that
 * {@link readCredential} could take for a key goes out of `headers`, and its value in `rawHeaders` becomes `[redacted]`. A
 * bearer token that is no API key stays. Read the credential first. It does not reach copies that were made before it ran,
 * Node's own `headersDistinct` among them, nor trailers, which are never read as keys.
 * @param isKey as for {@link readCredential}
 */
export function removeCredential(
  { headers, rawHeaders = [] }: MutableHeaderSource,
  { header, bearer }: CredentialOptions,
  isKey: (bearerToken: string) => boolean,
): void {
  for (let index = 0; index < rawHeaders.length; index += 2) {
    const name = rawHeaders[index];
    const isCredential =
      isNamed(name, header) || (bearer && isNamed(name, 'authorization') && isBearerKey(rawHeaders[index + 1], isKey));
    // The pair stays: Node reads the list later by the number of headers that arrived.
    if (isCredential) rawHeaders[index + 1] = REDACTED;
  }
  if (headers[header] !== undefined) Reflect.deleteProperty(headers, header);
  if (bearer && isBearerKey(headers.authorization, isKey)) Reflect.deleteProperty(headers, 'authorization');
}

function isNamed(name: string | undefined, header: string): boolean {
  return name?.length === header.length && name.toLowerCase() === header;
}

function isBearerKey(value: string | readonly string[] | undefined, isKey: (token: string) => boolean): boolean {
  const token = bearerToken(value);
  return token !== undefined && isKey(token);
}
