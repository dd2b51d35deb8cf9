// The long form of the swap races, on the built package: `npm run test:race`. See test/race/ for the short one.
// KEYFENCE_RACE_OPENS lowers the number of opens per engine and swap; KEYFENCE_REQUIRE_ALL=1 fails where an engine or the
// whole suite cannot run here.
import {
  AttackerProcess,
  engineSubjects,
  NAIVE,
  problemsOf,
  raceReads,
  raceWrites,
  SWAPS,
} from '../test/race/harness.mjs';

const OPENS = Number(process.env.KEYFENCE_RACE_OPENS ?? 200_000);
const REQUIRE_ALL = process.env.KEYFENCE_REQUIRE_ALL === '1';
/** A write costs as much as ten opens. Those whose escapes are only counted need fewer still. */
const WRITES_PER_OPEN = 0.1;
const SHARE_OF_OTHERS = 0.1;
const PROGRESS_STEPS = 4;

const COLUMNS = ['engine', 'verb', 'swapped', 'opens', 'successes', 'refusals', 'escapes', 'leaked', 'temp', 'swaps'];

function toRow(result) {
  const refusals = Object.entries(result.refusals).map(([code, count]) => `${code} ${count}`);
  return [
    result.engine,
    result.verb,
    result.swap,
    result.attempts,
    result.successes,
    refusals.join(', ') || 'none',
    result.escapes,
    result.leaked,
    result.temporaryFiles,
    result.swaps,
  ].map(String);
}

function printTable(rows) {
  const widths = COLUMNS.map((name, column) => Math.max(name.length, ...rows.map((row) => row[column].length)));
  for (const row of [COLUMNS, widths.map((width) => '-'.repeat(width)), ...rows]) {
    console.log(`| ${row.map((cell, column) => cell.padEnd(widths[column])).join(' | ')} |`);
  }
}

/** Prints each quarter of a race, so that a long silence means that something hangs. */
function progressOf(attempts) {
  let printed = 0;
  return (result) => {
    const step = Math.floor((result.attempts / attempts) * PROGRESS_STEPS);
    if (step === printed) return;
    printed = step;
    console.log(`${result.engine}, ${result.verb}, ${result.swap}: ${result.attempts} (escapes: ${result.escapes})`);
  };
}

async function runAll(attacker, subjects) {
  const results = [];
  for (const subject of [NAIVE, ...subjects]) {
    const opens = Math.ceil(subject.kind === 'race-proof' ? OPENS : OPENS * SHARE_OF_OTHERS);
    for (const swap of SWAPS) {
      for (const [run, attempts] of [
        [raceReads, opens],
        [raceWrites, Math.ceil(opens * WRITES_PER_OPEN)],
      ]) {
        results.push(await run({ attacker, subject, swap, attempts, onProgress: progressOf(attempts) }));
      }
    }
  }
  return results;
}

async function main() {
  if (!(OPENS >= 1)) throw new Error('KEYFENCE_RACE_OPENS is no number of opens.');
  if (process.platform !== 'linux') {
    console.warn(
      `THE RACES DID NOT RUN: the attack needs renameat2(2), and this is ${process.platform}. Run them on Linux.`,
    );
    return REQUIRE_ALL;
  }
  const [{ ConfinedDirectory }, { RootCache }, { selectEngine }] = await Promise.all([
    import('../dist/esm/confined-fs/confined-directory.js'),
    import('../dist/esm/confined-fs/root-cache.js'),
    import('../dist/esm/confined-fs/select-engine.js'),
  ]);
  const { subjects, missing } = await engineSubjects({ ConfinedDirectory, RootCache, selectEngine });
  const attacker = new AttackerProcess();
  let results;
  try {
    results = await runAll(attacker, subjects);
  } finally {
    await attacker.end();
  }
  console.log(`\nNode ${process.version}, Linux ${process.arch}; escapes of the control must be there, those of \`portable\`
are its published limit, those of every other engine fail the run.\n`);
  printTable(results.map(toRow));
  const problems = results.flatMap(problemsOf);
  for (const problem of problems) console.error(`FAILED: ${problem}`);
  for (const reason of missing) console.warn(`NOT RUN: ${reason}`);
  return problems.length > 0 || (REQUIRE_ALL && missing.length > 0);
}

process.exitCode = (await main()) ? 1 : 0;
