/**
 * The consumers. An application is compiled and started on each platform; a suite is type-checked and run by its runner.
 * `alsoCompilesWith`: other settings under which the same sources must type-check.
 */
export const PROJECTS = [
  {
    name: 'nest12-esm',
    kind: 'app',
    alsoCompilesWith: ['--module esnext --moduleResolution bundler', '--exactOptionalPropertyTypes'],
  },
  {
    name: 'nest11-cjs',
    kind: 'app',
    alsoCompilesWith: ['--module nodenext --moduleResolution nodenext'],
  },
  {
    name: 'nest10-cjs',
    kind: 'app',
    alsoCompilesWith: ['--module node16 --moduleResolution node16'],
  },
  {
    name: 'nest11-jest',
    kind: 'suite',
    run: ['node_modules/jest/bin/jest.js', '--json', '--outputFile=report.json'],
  },
  {
    name: 'nest12-vitest',
    kind: 'suite',
    run: ['node_modules/vitest/vitest.mjs', 'run', '--reporter=default', '--reporter=json', '--outputFile=report.json'],
  },
];

export const PLATFORMS = ['express', 'fastify'];
