import { request } from 'node:http';

export interface Answer {
  readonly status: number | undefined;
  readonly body: string;
}

/** `GET` of a path as it is written: `fetch` would resolve `..` before it sends anything. */
export function get(url: string, path: string, key?: string): Promise<Answer> {
  const { hostname, port } = new URL(url);
  const headers = key === undefined ? {} : { 'x-api-key': key };
  return new Promise((resolve, reject) => {
    request({ hostname, port, path, headers, agent: false }, (response) => {
      let body = '';
      response.setEncoding('utf8');
      response.on('data', (chunk: string) => (body += chunk));
      response.on('error', reject);
      response.on('end', () => {
        resolve({ status: response.statusCode, body });
      });
    })
      .on('error', reject)
      .end();
  });
}
