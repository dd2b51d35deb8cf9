import { request } from 'node:http';

/** One request with its path as it is written: `fetch` would resolve `..` before it sends anything. */
export function call(url, path, { key, method = 'GET' } = {}) {
  const { hostname, port } = new URL(url);
  const headers = key === undefined ? {} : { 'x-api-key': key };
  return new Promise((resolve, reject) => {
    request({ hostname, port, path, method, headers, agent: false }, (response) => {
      const chunks = [];
      response.on('data', (chunk) => chunks.push(chunk));
      response.on('error', reject);
      response.on('end', () => {
        const text = Buffer.concat(chunks).toString();
        const isJson = String(response.headers['content-type']).startsWith('application/json');
        resolve({ status: response.statusCode, headers: response.headers, text, body: isJson ? JSON.parse(text) : {} });
      });
    })
      .on('error', reject)
      .end();
  });
}
