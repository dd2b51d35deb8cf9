// What the two forms of the suite share: test/race/race.test.ts (short, on src) and scripts/race.mjs (long, on dist).
export { AttackerProcess } from './attacker-process.mjs';
export { engineSubjects, NAIVE } from './race-subjects.mjs';
export { SWAPS } from './race-tree.mjs';
export { problemsOf, raceReads, raceWrites } from './run-race.mjs';
