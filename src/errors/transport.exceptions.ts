import { HttpStatus } from '@nestjs/common';
import type { KeyfenceException } from './refusal.exception.js';

/** The status of a gRPC call (google.rpc.Code), which carries a number and a message and no body; others ignore it. */
const GRPC_STATUS: Readonly<Record<number, number>> = {
  [HttpStatus.UNAUTHORIZED]: 16,
  [HttpStatus.FORBIDDEN]: 7,
  [HttpStatus.SERVICE_UNAVAILABLE]: 14,
};

/**
 * The same refusal in the form that a transport's own filters pass on; an `HttpException` would be told to the caller as
 * an internal error. The packages are loaded only where a handler of that transport is being refused, so they are there.
 */
export async function toTransportException(transport: string, refusal: KeyfenceException): Promise<Error> {
  if (transport === 'ws') {
    const { WsException } = await import('@nestjs/websockets');
    return new WsException(messageBody(refusal));
  }
  if (transport === 'rpc') {
    const { RpcException } = await import('@nestjs/microservices');
    return new RpcException({ ...messageBody(refusal), code: GRPC_STATUS[refusal.getStatus()] });
  }
  return refusal;
}

function messageBody(refusal: KeyfenceException): object {
  return { status: 'error', errorCode: refusal.errorCode, message: refusal.message };
}
