import { inspect } from 'node:util';
import { HttpException } from '@nestjs/common';
import { describe, expect, it } from '@jest/globals';
import { InvalidApiKeyException, MissingCredentialsException } from '../../src/errors/authentication.exceptions.js';
import {
  GrantExceededException,
  InsufficientScopeException,
  UndeclaredRouteException,
} from '../../src/errors/authorization.exceptions.js';
import type { KeyfenceErrorCode } from '../../src/errors/error-code.js';
import {
  DirectoryNotEmptyException,
  FileExistsException,
  FileNotFoundException,
  FileTooLargeException,
  NotAFileException,
  RangeNotSatisfiableException,
  StorageUnavailableException,
} from '../../src/errors/file.exceptions.js';
import { KeyNotFoundException, KeyStoreUnavailableException } from '../../src/errors/key.exceptions.js';
import { InvalidPathException, PathEscapeException } from '../../src/errors/path.exceptions.js';
import { isKeyfenceException, withoutStack, type KeyfenceException } from '../../src/errors/refusal.exception.js';

const SECRET_CAUSE = new Error('connect postgres://user:password@db');

const REFUSALS: readonly (readonly [KeyfenceErrorCode, number, string, () => KeyfenceException])[] = [
  ['missing_credentials', 401, 'Unauthorized', () => new MissingCredentialsException()],
  ['invalid_api_key', 401, 'Unauthorized', () => new InvalidApiKeyException('revoked')],
  ['insufficient_scope', 403, 'Forbidden', () => new InsufficientScopeException('files:write')],
  ['undeclared_route', 403, 'Forbidden', () => new UndeclaredRouteException()],
  ['path_escape', 403, 'Forbidden', () => new PathEscapeException('symlink')],
  ['grant_exceeded', 403, 'Forbidden', () => new GrantExceededException('files:write')],
  ['invalid_path', 400, 'Bad Request', () => new InvalidPathException()],
  ['file_not_found', 404, 'Not Found', () => new FileNotFoundException()],
  ['key_not_found', 404, 'Not Found', () => new KeyNotFoundException()],
  ['file_exists', 409, 'Conflict', () => new FileExistsException()],
  ['not_a_file', 409, 'Conflict', () => new NotAFileException()],
  ['directory_not_empty', 409, 'Conflict', () => new DirectoryNotEmptyException()],
  ['file_too_large', 413, 'Payload Too Large', () => new FileTooLargeException()],
  ['range_not_satisfiable', 416, 'Range Not Satisfiable', () => new RangeNotSatisfiableException()],
  ['key_store_unavailable', 503, 'Service Unavailable', () => new KeyStoreUnavailableException(SECRET_CAUSE)],
  ['storage_unavailable', 503, 'Service Unavailable', () => new StorageUnavailableException(SECRET_CAUSE)],
];

describe.each(REFUSALS)('%s', (errorCode, statusCode, error, build) => {
  const refusal = build();

  it(`is an HttpException of ${statusCode} that carries its code`, () => {
    expect(refusal).toBeInstanceOf(HttpException);
    expect(refusal.getStatus()).toBe(statusCode);
    expect(refusal.errorCode).toBe(errorCode);
    expect(isKeyfenceException(refusal)).toBe(true);
  });

  it('has a body of four fields, in the shape of Nest', () => {
    expect(refusal.getResponse()).toEqual({ statusCode, error, message: refusal.message, errorCode });
    expect(refusal.message).toMatch(/^[A-Z].*\.$/);
  });

  it('shows nothing of its cause in its body', () => {
    expect(JSON.stringify(refusal.getResponse())).not.toContain('password');
  });
});

describe('the reason inside a refusal', () => {
  it.each([
    ['InvalidApiKeyException', new InvalidApiKeyException('wrong_secret'), 'wrong_secret'],
    ['PathEscapeException', new PathEscapeException('hard_link'), 'hard_link'],
  ] as const)('of %s is for operators: readable, and not printed with the exception', (_name, refusal, reason) => {
    expect(refusal.reason).toBe(reason);
    expect(JSON.stringify(refusal)).not.toContain(reason);
    expect(Object.keys(refusal)).not.toContain('reason');
    expect(inspect(Object.assign({}, refusal))).not.toContain(reason);
  });

  it('changes nothing of the public answer', () => {
    expect(new InvalidApiKeyException('revoked').getResponse()).toEqual(
      new InvalidApiKeyException('unknown_key').getResponse(),
    );
    expect(new PathEscapeException('mount').getResponse()).toEqual(new PathEscapeException('absolute').getResponse());
  });
});

describe('withoutStack', () => {
  it('collects no stack, and leaves the limit as it was', () => {
    const limit = Error.stackTraceLimit;
    const refusal = withoutStack(() => new MissingCredentialsException());
    expect(refusal.stack).not.toContain('\n    at ');
    expect(Error.stackTraceLimit).toBe(limit);
    // The control: elsewhere a stack is collected.
    expect(new MissingCredentialsException().stack).toContain('\n    at ');
  });

  it('leaves the limit as it was even if building fails', () => {
    const limit = Error.stackTraceLimit;
    expect(() =>
      withoutStack((): Error => {
        throw new Error('no');
      }),
    ).toThrow('no');
    expect(Error.stackTraceLimit).toBe(limit);
  });
});

describe('isKeyfenceException', () => {
  it('is true for a refusal of another copy of the package', () => {
    const foreign = Object.assign(new Error('no'), { errorCode: 'path_escape', getStatus: () => 403 });
    expect(isKeyfenceException(foreign)).toBe(true);
  });

  it.each([
    ['an error', new Error('no')],
    ["another of Nest's exceptions", new HttpException('no', 403)],
    ['an object that only looks like one', { errorCode: 'path_escape', getStatus: () => 403 }],
    ['null', null],
    ['nothing', undefined],
  ])('is false for %s', (_what, value) => {
    expect(isKeyfenceException(value)).toBe(false);
  });
});
