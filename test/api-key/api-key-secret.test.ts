import { Console } from 'node:console';
import { Writable } from 'node:stream';
import { format, inspect } from 'node:util';
import { deserialize, serialize } from 'node:v8';
import { describe, expect, it } from '@jest/globals';
import { ApiKeySecret } from '../../src/api-key/api-key-secret.js';
import { composeKey } from '../support/sample-key.js';

const TEXT = composeKey();
const MASK = '[ApiKeySecret]';

describe('ApiKeySecret', () => {
  const secret = new ApiKeySecret(TEXT);

  it('gives its text to reveal() (control)', () => {
    expect(secret.reveal()).toBe(TEXT);
  });

  it.each([
    ['String()', () => String(secret)],
    // eslint-disable-next-line @typescript-eslint/restrict-template-expressions -- what a user might write
    ['a template', () => `${secret}`],
    // eslint-disable-next-line @typescript-eslint/restrict-plus-operands -- what a user might write
    ['a concatenation', () => '' + secret],
    ['toString()', () => secret.toString()],
    ['join()', () => [secret].join()],
    ['toLocaleString()', () => secret.toLocaleString()],
    ['Symbol.toPrimitive', () => secret[Symbol.toPrimitive]()],
    ['its use as a property name', () => Object.keys({ [secret as unknown as string]: 1 }).join()],
    ['an error message made of an object', () => new Error(secret as unknown as string).message],
    ['an error message', () => new Error(String(secret)).message],
    ['%s', () => format('%s', secret)],
    ['%o', () => format('%o', secret)],
    ['%j', () => JSON.parse(format('%j', secret)) as unknown],
    ['inspect()', () => inspect(secret)],
    ['inspect() with hidden fields', () => inspect(secret, { showHidden: true, depth: Infinity })],
    ['JSON', () => JSON.parse(JSON.stringify(secret)) as unknown],
  ])('is masked by %s', (_how, print) => {
    expect(print()).toBe(MASK);
  });

  it.each([
    ['JSON of an object that has it', () => JSON.stringify({ issued: { secret } })],
    ['inspect() of an object that has it', () => inspect({ issued: { secret } }, { depth: Infinity })],
    [
      'inspect() of a list, a map and an error that have it',
      () => inspect([new Map([['a', secret]]), new Error('x', { cause: secret })], { depth: Infinity }),
    ],
    ['inspect() at the depth limit', () => inspect({ a: { b: { c: { secret } } } }, { depth: 2 })],
    ['inspect() of getters and a proxy', () => inspect(new Proxy({ secret }, {}), { getters: true, showProxy: true })],
    [
      'inspect() of an object without its own form',
      () => inspect({ secret }, { customInspect: false, showHidden: true }),
    ],
    ['inspect() of a proxy of it', () => inspect(new Proxy(secret, {}), { showProxy: true, showHidden: true })],
    ['%d and %i', () => format('%d %i %f', secret, secret, secret)],
    ['%O', () => format('%O %o', { secret }, { secret })],
    ['the stack and the cause of an error', () => inspect(new Error(String(secret), { cause: { secret } }))],
    ['an AggregateError', () => inspect(new AggregateError([secret, new Error('x', { cause: secret })]))],
    [
      'console.log',
      () =>
        printedBy((to) => {
          to.log(secret, { secret }, [secret], '%s', secret);
        }),
    ],
    [
      'console.dir',
      () =>
        printedBy((to) => {
          to.dir({ secret }, { showHidden: true, customInspect: false });
        }),
    ],
    [
      'console.table',
      () =>
        printedBy((to) => {
          to.table([{ secret }]);
        }),
    ],
    ['a number', () => String(Number(secret))],
    ['a clone by v8', () => inspect(deserialize(serialize({ secret })))],
    ['JSON with a replacer', () => JSON.stringify({ secret }, (_key, value: unknown) => value, 2)],
    ['inspect() without its own form', () => inspect(secret, { customInspect: false, showHidden: true })],
    ['its own property names', () => Reflect.ownKeys(secret).map(String).join()],
    ['a copy', () => inspect(Object.assign({}, secret))],
    ['a structured clone', () => inspect(structuredClone(secret))],
    ['Object.entries()', () => JSON.stringify(Object.entries(secret))],
    ['URLSearchParams', () => new URLSearchParams({ secret: String(secret) }).toString()],
  ])('does not show in %s', (_how, print) => {
    expect(print()).not.toContain(TEXT);
    expect(print()).not.toContain(TEXT.slice(-20));
  });
});

/** What a console prints. */
function printedBy(print: (to: Console) => void): string {
  let text = '';
  const stdout = new Writable({
    write: (chunk: Buffer, _encoding, done) => {
      text += chunk.toString();
      done();
    },
  });
  print(new Console({ stdout, stderr: stdout }));
  expect(text).not.toBe('');
  return text;
}
