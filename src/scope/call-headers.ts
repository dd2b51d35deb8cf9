import type { HeaderSource } from '../api-key/credential.js';
import type { Call } from '../tenant/call.js';

/** The headers of a call, whatever its transport; `undefined` where there are none, and so no credentials. */
export function headersOf(call: Call, carrier: object): HeaderSource | undefined {
  switch (call.getType()) {
    case 'ws':
      // socket.io keeps the handshake of the connection; a plain `ws` client keeps nothing of it.
      return 'handshake' in carrier ? asHeaderSource(carrier.handshake) : undefined;
    case 'rpc':
      return isGrpcMetadata(carrier) ? headersOfMetadata(carrier) : undefined;
    default:
      return asHeaderSource(carrier);
  }
}

function asHeaderSource(value: unknown): HeaderSource | undefined {
  const hasHeaders =
    typeof value === 'object' &&
    value !== null &&
    'headers' in value &&
    typeof value.headers === 'object' &&
    value.headers !== null;
  return hasHeaders ? (value as HeaderSource) : undefined;
}

/** The metadata of a gRPC call: names in lower case, each with a list of values. */
interface GrpcMetadata {
  getMap(): Record<string, unknown>;
  get(name: string): unknown[];
}

function isGrpcMetadata(value: object): value is GrpcMetadata {
  return 'getMap' in value && typeof value.getMap === 'function' && 'get' in value && typeof value.get === 'function';
}

function headersOfMetadata(metadata: GrpcMetadata): HeaderSource {
  const headers: Record<string, string | string[]> = {};
  for (const name of Object.keys(metadata.getMap())) {
    const values = metadata.get(name).map(String);
    headers[name] = values.length === 1 ? values.join() : values;
  }
  return { headers };
}
