import { describe, expect, it } from '@jest/globals';
import { runNode } from './run-node.js';

/** Runs the contract as a team would that uses the runner of Node. */
function contractInNodeTest(store: string): ReturnType<typeof runNode> {
  return runNode(
    'module',
    `import { test } from 'node:test';
    import { InMemoryApiKeyStore } from 'nestjs-keyfence';
    import { apiKeyStoreContract } from 'nestjs-keyfence/testing';
    class Forgetful extends InMemoryApiKeyStore {
      async revoke() { return null; }
    }
    for (const { name, run } of apiKeyStoreContract({ open: () => new ${store}() })) test(name, run);`,
  );
}

describe('apiKeyStoreContract in node:test', () => {
  it('passes for a right store', () => {
    const { status, stdout } = contractInNodeTest('InMemoryApiKeyStore');
    expect(status).toBe(0);
    expect(stdout).toMatch(/fail 0$/m);
    expect(stdout).toMatch(/pass [1-9]\d+$/m);
  });

  it('fails for a wrong one, naming what it must do', () => {
    const { status, stdout } = contractInNodeTest('Forgetful');
    expect(status).toBe(1);
    expect(stdout).toContain('revoke: sets the time, counts the version up');
  });
});
