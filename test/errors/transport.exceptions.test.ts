import { RpcException } from '@nestjs/microservices';
import { WsException } from '@nestjs/websockets';
import { describe, expect, it } from '@jest/globals';
import { InvalidApiKeyException } from '../../src/errors/authentication.exceptions.js';
import { toTransportException } from '../../src/errors/transport.exceptions.js';

const refusal = new InvalidApiKeyException('revoked');
const BODY = { status: 'error', errorCode: 'invalid_api_key', message: 'The API key is not valid.' };

describe('toTransportException', () => {
  it('makes a WsException for a gateway', async () => {
    const error = await toTransportException('ws', refusal);
    expect(error).toBeInstanceOf(WsException);
    expect((error as WsException).getError()).toEqual(BODY);
  });

  it('makes an RpcException for a microservice', async () => {
    const error = await toTransportException('rpc', refusal);
    expect(error).toBeInstanceOf(RpcException);
    expect((error as RpcException).getError()).toMatchObject(BODY);
  });

  it.each(['http', 'graphql', 'something-else'])('leaves the refusal as it is for %s', async (transport) => {
    expect(await toTransportException(transport, refusal)).toBe(refusal);
  });

  it.each(['ws', 'rpc'])('says no reason on %s', async (transport) => {
    expect(JSON.stringify(await toTransportException(transport, refusal))).not.toContain('revoked');
  });
});
