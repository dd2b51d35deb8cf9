import koffi from 'koffi';
import { answerParent } from './child.js';

/** Exchanges two names in one step, as fast as it can, until told to stop: `node swap-attacker.js <path> <path>`. */

const AT_FDCWD = -100;
const RENAME_EXCHANGE = 2;
/** Between two looks at what the parent says. */
const BATCH = 2_000;

const renameat2 = koffi
  .load(null)
  .func('int renameat2(int fromDirectory, const char *from, int toDirectory, const char *to, unsigned int flags)');
const [from = '', to = ''] = process.argv.slice(2);
let swaps = 0;
let running = true;

function attack(): void {
  // An even number, so that the names are where they were when it stops.
  for (let swap = 0; swap < BATCH; swap += 1) {
    if (renameat2(AT_FDCWD, from, AT_FDCWD, to, RENAME_EXCHANGE) !== 0) throw new Error(`errno ${koffi.errno()}`);
  }
  swaps += BATCH;
  if (running) setImmediate(attack);
}

attack();
answerParent('ready', () => {
  running = false;
  return Promise.resolve(swaps);
});
