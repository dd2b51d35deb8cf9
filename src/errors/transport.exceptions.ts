import type { KeyfenceException } from './refusal.exception.js';

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
    return new RpcException(messageBody(refusal));
  }
  return refusal;
}

function messageBody(refusal: KeyfenceException): object {
  return { status: 'error', errorCode: refusal.errorCode, message: refusal.message };
}
