import { format, inspect } from 'node:util';
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
