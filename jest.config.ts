/**
 * @jest-config-loader esbuild-register
 */
import * as vm from 'node:vm';
import type { Config } from 'jest';

if (!('SourceTextModule' in vm)) {
  throw new Error('NestJS 12 is ESM-only: run the tests with "npm test" (node --experimental-vm-modules).');
}

const config: Config = {
  testEnvironment: 'node',
  roots: ['<rootDir>/test'],
  testMatch: ['**/*.test.ts'],
  extensionsToTreatAsEsm: ['.ts'],
  collectCoverageFrom: ['src/**/*.ts'],
  moduleNameMapper: { '^(\\.{1,2}/.*)\\.js$': '$1' },
  transform: { '^.+\\.ts$': ['ts-jest', { useESM: true, tsconfig: 'tsconfig.json', diagnostics: false }] },
};

export default config;
