import { readdirSync } from 'node:fs';
import { setImmediate } from 'node:timers/promises';
import { INSIDE, OUTSIDE, OUTSIDE_ONLY, RaceTree } from './race-tree.mjs';

/** The share of the attempts that must succeed: who refuses everything confines nothing. */
const MINIMUM_SUCCESSES = 0.1;
/** And the attacker must have swapped so often, or there was no race. */
const MINIMUM_SWAPS = 1_000;
/** A busy machine may give either side little time: the race goes on up to so many times its length. */
const MAXIMUM_ROUNDS = 50;
const ATTEMPTS_PER_TURN = 32;
const CONCURRENT_WRITES = 4;
// `not_a_file`: a directory was a link when it was opened and a directory again when it was asked why.
const ALLOWED_REFUSALS = ['path_escape', 'file_not_found', 'not_a_file'];

/** Reads while the attacker swaps. What was read tells where it lay. */
export async function raceReads(options) {
  return race('read', options, ATTEMPTS_PER_TURN, async (tree, views, index, result) => {
    const view = views[index % views.length];
    const text = await readThrough(view);
    if (text === INSIDE) view.successes += 1;
    else if (text === OUTSIDE) result.escapes += 1;
    else throw new Error(`read what was never written: ${text}`);
  });
}

async function readThrough({ opened, directory, read }) {
  if (read === 'file') return opened.read(pathIn(directory, 'file.txt'));
  return (await opened.list(directory)).includes(OUTSIDE_ONLY) ? OUTSIDE : INSIDE;
}

/** Writes while the attacker swaps: new files, or the swapped file itself. */
export async function raceWrites(options) {
  const written = new Map();
  const onlyFile = options.swap === 'final';
  const result = await race(
    'write',
    options,
    CONCURRENT_WRITES,
    async (tree, views, index) => {
      const view = views[index % views.length];
      const name = onlyFile ? 'file.txt' : `written-${index}.txt`;
      const text = `text ${index}`;
      await view.opened.write(pathIn(view.directory, name), text);
      view.successes += 1;
      written.set(onlyFile ? text : name, text);
    },
    (tree, outcome) => {
      outcome.misplaced = countMisplaced(tree.readInnerFiles(), written, onlyFile);
    },
  );
  return result;
}

/** Writes that were reported and are not there, or the other way round. */
function countMisplaced(files, written, onlyFile) {
  if (onlyFile) return [...files.values()].filter((text) => text !== INSIDE && !written.has(text)).length;
  files.delete('file.txt');
  const lost = [...written].filter(([name, text]) => files.get(name) !== text).length;
  const unreported = [...files.keys()].filter((name) => !written.has(name)).length;
  return lost + unreported;
}

async function race(verb, { attacker, subject, swap, attempts, onProgress }, batch, attempt, inspect) {
  const tree = new RaceTree(swap);
  const result = {
    engine: subject.name,
    kind: subject.kind,
    swap,
    verb,
    attempts: 0,
    successes: 0,
    minimum: subject.kind === 'race-proof' ? Math.ceil(attempts * MINIMUM_SUCCESSES) : 0,
    refusals: {},
    escapes: 0,
    leaked: 0,
    temporaryFiles: 0,
    misplaced: 0,
    swaps: 0,
  };
  const descriptors = countDescriptors();
  const views = tree.views.map((view) => ({ ...view, opened: subject.open(view.anchor), successes: 0 }));
  await attacker.start(tree.attack);
  try {
    while (wantsMore(result, views, attempts, attacker)) {
      const first = result.attempts;
      result.attempts += batch;
      const indices = Array.from({ length: batch }, (_, index) => first + index);
      if (verb === 'write') await Promise.all(indices.map((index) => tryOnce(attempt, tree, views, index, result)));
      else for (const index of indices) await tryOnce(attempt, tree, views, index, result);
      if (verb === 'write') result.escapes += tree.takeDamage();
      // Handles are closed and heartbeats received when the event loop turns.
      await setImmediate();
      attacker.assertAlive();
      onProgress?.(result);
    }
  } finally {
    await attacker.stop();
    for (const { opened } of views) opened.close();
  }
  result.swaps = attacker.swaps;
  result.successes = views.reduce((sum, view) => sum + view.successes, 0);
  result.escapes += tree.takeDamage();
  result.temporaryFiles = tree.countTemporaryFiles();
  inspect?.(tree, result);
  tree.remove();
  result.leaked = (await settledDescriptors(descriptors)) - descriptors;
  return result;
}

/** Both ways (deep and near) must have succeeded often enough, each by itself; the control must have escaped. */
function wantsMore(result, views, attempts, attacker) {
  if (result.attempts < attempts) return true;
  if (result.attempts >= attempts * MAXIMUM_ROUNDS) return false;
  if (result.kind === 'control' && result.escapes === 0) return true;
  return attacker.swaps < MINIMUM_SWAPS || views.some((view) => view.successes < result.minimum / views.length);
}

async function tryOnce(attempt, tree, views, index, result) {
  try {
    await attempt(tree, views, index, result);
  } catch (error) {
    const code = error.errorCode ?? error.code ?? error.message;
    result.refusals[code] = (result.refusals[code] ?? 0) + 1;
  }
}

/** What is wrong with an outcome; empty if nothing is. */
export function problemsOf(result) {
  const problems = [];
  const where = `${result.engine}, ${result.verb}, ${result.swap} swapped`;
  if (result.swaps < MINIMUM_SWAPS) problems.push(`${where}: only ${result.swaps} swaps, no race`);
  if (result.kind === 'control' && result.escapes === 0) problems.push(`${where}: the control never escaped`);
  if (result.leaked !== 0) problems.push(`${where}: ${result.leaked} descriptors leaked`);
  if (result.kind !== 'race-proof') return problems;
  if (result.escapes !== 0) problems.push(`${where}: ${result.escapes} ESCAPES`);
  if (result.successes < result.minimum) {
    problems.push(`${where}: ${result.successes} successes, fewer than ${result.minimum}`);
  }
  if (result.temporaryFiles !== 0) problems.push(`${where}: ${result.temporaryFiles} temporary files left`);
  if (result.misplaced !== 0) problems.push(`${where}: ${result.misplaced} files lost or written though refused`);
  for (const [code, count] of Object.entries(result.refusals)) {
    if (!ALLOWED_REFUSALS.includes(code)) problems.push(`${where}: ${count} times refused with ${code}`);
  }
  return problems;
}

function pathIn(directory, name) {
  return directory === '' ? name : `${directory}/${name}`;
}

function countDescriptors() {
  return readdirSync('/proc/self/fd').length;
}

/** Files are closed in the thread pool; one that is still open after so many turns of the event loop stays so. */
async function settledDescriptors(expected) {
  for (let turns = 0; turns < 1_000 && countDescriptors() > expected; turns += 1) await setImmediate();
  return countDescriptors();
}
