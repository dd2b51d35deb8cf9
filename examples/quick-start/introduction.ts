/** What the app prints at start: keys as shell assignments, then lines to paste, each with the answer to expect. */
export function introduction(url: string, keys: Readonly<Record<string, string>>): string {
  const assignments = Object.entries(keys).map(([name, key]) => `${name}=${key}`);
  return `
Paste these into another terminal:

${assignments.join('\n')}

# a public route: {"status":"ok"}
curl -sw '\\n' ${url}/health
# no key: 401 missing_credentials
curl -sw '\\n' ${url}/whoami
# who is calling: "tenantId":"acme"
curl -sw '\\n' ${url}/whoami -H "x-api-key: $ACME_KEY"
# the files of acme
curl -sw '\\n' ${url}/files -H "x-api-key: $ACME_KEY"
# one of them: Hello from acme.
curl -sw '\\n' ${url}/files/hello.txt -H "x-api-key: $ACME_KEY"
# the same path with the key of globex: Hello from globex.
curl -sw '\\n' ${url}/files/hello.txt -H "x-api-key: $GLOBEX_KEY"
# out of the directory: 403 path_escape
curl -sw '\\n' --path-as-is ${url}/files/../globex/hello.txt -H "x-api-key: $ACME_KEY"
# write: "path":"notes/today.txt","kind":"file","size":5
curl -sw '\\n' -X PUT ${url}/files/notes/today.txt -H "x-api-key: $ACME_KEY" --data-binary hello
# write with a key that may only read: 403 insufficient_scope
curl -sw '\\n' -X PUT ${url}/files/notes/today.txt -H "x-api-key: $ACME_READ_KEY" --data-binary hello
# remove: 204
curl -s -o /dev/null -w '%{http_code}\\n' -X DELETE ${url}/files/notes/today.txt -H "x-api-key: $ACME_KEY"

READY ${url}`;
}
