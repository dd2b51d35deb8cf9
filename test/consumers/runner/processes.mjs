import { execFile, fork } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';

const STEP_DEADLINE_MS = 240_000;
const START_DEADLINE_MS = 60_000;
const STOP_DEADLINE_MS = 10_000;

/** What npm tells the scripts that it runs (this repository's own `node-options` among it) is not for a consumer. */
const NOT_INHERITED =
  /^(?:NODE_OPTIONS|NODE_ENV|INIT_CWD|npm_(?:package|lifecycle)_.*|npm_config_(?:local_prefix|prefix|node_options))$/i;

/** The environment of a consumer's developer. */
export const consumerEnvironment = Object.fromEntries(
  Object.entries(process.env).filter(([name]) => !NOT_INHERITED.test(name)),
);

/** Runs a command to its end. Returns what it printed; rejects with that in the message if it failed. */
export function run(command, parameters, folder) {
  return new Promise((resolve, reject) => {
    const options = { cwd: folder, env: consumerEnvironment, timeout: STEP_DEADLINE_MS, maxBuffer: 64 * 1024 * 1024 };
    execFile(command, parameters, options, (error, stdout, stderr) => {
      const output = `${stdout}${stderr}`.trim();
      if (error === null) resolve(output);
      else reject(new Error(`${command} ${parameters.join(' ')} failed:\n${output || error.message}`));
    });
  });
}

/** Starts a compiled application, and resolves when it listens to what it tells of itself and how to stop it. */
export async function startApp(folder, main, parameters) {
  const child = fork(main, parameters, { cwd: folder, env: consumerEnvironment, execArgv: [], silent: true });
  let output = '';
  child.stdout.on('data', (chunk) => (output += chunk));
  child.stderr.on('data', (chunk) => (output += chunk));
  const stop = () => stopApp(child);
  const started = await Promise.race([
    once(child, 'message').then(([message]) => message),
    once(child, 'exit').then(() => undefined),
    delay(START_DEADLINE_MS, undefined, { ref: false }),
  ]);
  if (started === undefined) {
    await stop();
    throw new Error(`${main} ${parameters[0]} did not start:\n${output.trim()}`);
  }
  return { ...started, stop, output: () => output.trim() };
}

/** It ends by itself when its parent leaves it; the one that does not is ended by its own id. */
async function stopApp(child) {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = once(child, 'exit');
  if (child.connected) child.disconnect();
  const graceful = await Promise.race([ended.then(() => true), delay(STOP_DEADLINE_MS, false, { ref: false })]);
  if (graceful) return;
  child.kill('SIGKILL');
  await ended;
  throw new Error('The application did not end when it was told to.');
}
