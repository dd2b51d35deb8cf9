import { Agent, request, type IncomingHttpHeaders, type OutgoingHttpHeaders } from 'node:http';

/** What came back, all of it, so that a test can compare whole answers. */
export interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly text: string;
  /** The text as JSON; `undefined` if it is none. */
  readonly body: unknown;
}

export interface Sending {
  /** Sent as `x-api-key`. */
  readonly key?: string;
  /** A list sends the header once for each item. */
  readonly headers?: OutgoingHttpHeaders;
  readonly body?: string;
}

/**
 * Sends one request with its target exactly as given: nothing is normalised, so that `//files`, `/%66iles` and
 * `http://host/files` arrive as they are.
 * @param line such as `GET /files`
 */
export function send(url: string, line: string, { key, headers, body }: Sending = {}): Promise<Answer> {
  const [method = 'GET', path = '/'] = line.split(' ');
  const { hostname, port } = new URL(url);
  return new Promise((resolve, reject) => {
    const sent = request(
      {
        hostname,
        port,
        method,
        path,
        // A connection of its own: one that is kept open would hold up the end of the app.
        agent: new Agent({ keepAlive: false }),
        headers: { ...(key === undefined ? {} : { 'x-api-key': key }), ...headers },
      },
      (response) => {
        const chunks: Buffer[] = [];
        response.on('data', (chunk: Buffer) => chunks.push(chunk));
        response.on('error', reject);
        response.on('end', () => {
          const text = Buffer.concat(chunks).toString('utf8');
          resolve({ status: response.statusCode ?? 0, headers: response.headers, text, body: parse(text) });
        });
      },
    );
    sent.on('error', reject);
    sent.end(body);
  });
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}
