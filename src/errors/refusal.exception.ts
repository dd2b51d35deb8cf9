import { types } from 'node:util';
import { HttpStatus, type HttpException } from '@nestjs/common';
import { isErrorCode, type KeyfenceErrorCode } from './error-code.js';

/** What every refusal of Keyfence is: a Nest `HttpException` with a stable {@link KeyfenceErrorCode}. */
export type KeyfenceException = HttpException & { readonly errorCode: KeyfenceErrorCode };

/** The body of every refusal, in the shape of Nest's own exceptions plus `errorCode`. */
export interface RefusalBody {
  readonly statusCode: number;
  readonly error: string;
  readonly message: string;
  readonly errorCode: KeyfenceErrorCode;
}

const REASON_PHRASES: Readonly<Record<number, string>> = {
  [HttpStatus.BAD_REQUEST]: 'Bad Request',
  [HttpStatus.UNAUTHORIZED]: 'Unauthorized',
  [HttpStatus.FORBIDDEN]: 'Forbidden',
  [HttpStatus.NOT_FOUND]: 'Not Found',
  [HttpStatus.CONFLICT]: 'Conflict',
  [HttpStatus.PAYLOAD_TOO_LARGE]: 'Payload Too Large',
  [HttpStatus.REQUESTED_RANGE_NOT_SATISFIABLE]: 'Range Not Satisfiable',
  [HttpStatus.SERVICE_UNAVAILABLE]: 'Service Unavailable',
  507: 'Insufficient Storage',
};

/** Makes the response body of a refusal. */
export function refusalBody(statusCode: number, errorCode: KeyfenceErrorCode, message: string): RefusalBody {
  return { statusCode, error: REASON_PHRASES[statusCode] ?? 'Error', message, errorCode };
}

/**
 * Builds an exception without a stack trace. A refusal is an expected answer, and collecting a stack would make
 * refusing dearer than accepting: a lever for whoever floods the service with bad keys.
 */
export function withoutStack<T extends Error>(build: () => T): T {
  const limit = Error.stackTraceLimit;
  Error.stackTraceLimit = 0;
  try {
    return build();
  } finally {
    Error.stackTraceLimit = limit;
  }
}

/** True for a refusal made by Keyfence, also across two copies of the package. */
export function isKeyfenceException(error: unknown): error is KeyfenceException {
  // Since Nest 12 every HttpException has an `errorCode`, so only the codes of ours tell.
  return types.isNativeError(error) && 'getStatus' in error && 'errorCode' in error && isErrorCode(error.errorCode);
}
