import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { KeyServices, requestWith, type BenchAuthenticator, type BenchRequest } from './key-services.js';
import { addKeys, CountingManagedStore, unknownKey } from './keys.js';
import { interleave, quantile, spreadOf } from './measure.js';
import { judged, type Report, type Row } from './report.js';
import { measureHttpFlood } from './http-flood.js';

const VALID_KEYS = 1_000;
const FLOOD = 100_000;
/** Unknown keys for each valid one. */
const PER_VALID = 10;
const VALID_CALLS = FLOOD / PER_VALID;
const ROUNDS = 5;
const WARM_UP_ROUNDS = 1;
const MAX_ENTRIES = 10_000;
const LATENCY_LIMIT = 2;
const HEAP_ROUNDS = 4;
const HEAP_LIMIT_MB = 0.5;

/** What a flood of unknown keys does to the holders of valid ones. */
export async function measureFlood(report: Report): Promise<void> {
  report.table({
    part: 'flood',
    title: `flood: ${FLOOD.toLocaleString('en')} distinct unknown keys with a right checksum, in process`,
    notes: [
      `${PER_VALID} unknown keys are asked about and not awaited, then a valid one is, of ${VALID_KEYS.toLocaleString('en')} that the cache knows; and the same but for`,
      `asking about the unknown ones. Default cache, store in memory; ${ROUNDS} rounds of ${VALID_CALLS.toLocaleString('en')} valid keys. The p99 of a round in microseconds.`,
    ],
    rows: await latencyRows(),
  });
  report.table({
    part: 'flood',
    title: 'flood: what is left of it',
    notes: [
      'Store calls for valid keys: a flood that pushed them out of the cache would show here. Remembered: how many of the',
      `unknown keys the cache still answers. Heap: after garbage collection; first: an empty cache fills up to ${MAX_ENTRIES.toLocaleString('en')}`,
      'entries; then: the growth by each further flood.',
    ],
    rows: await residueRows(),
  });
  await measureHttpFlood(report);
}

async function latencyRows(): Promise<Row[]> {
  const { authenticator, valid } = await warmServices();
  const variants = {
    quiet: async () => quantile(await latencies(authenticator, valid, false), 0.99),
    flooded: async () => quantile(await latencies(authenticator, valid, true), 0.99),
  };
  await interleave(variants, WARM_UP_ROUNDS);
  const samples = await interleave(variants, ROUNDS);
  const [quiet, flooded] = [spreadOf(samples.quiet), spreadOf(samples.flooded)];
  return [
    {
      'valid keys': 'p99',
      'quiet us': quiet.median,
      'flooded us': flooded.median,
      'by p10': flooded.p10 / quiet.p10,
      ...judged('by median', flooded.median / quiet.median, LATENCY_LIMIT),
    },
  ];
}

async function warmServices() {
  const store = new CountingManagedStore();
  const valid = (await addKeys(store, VALID_KEYS)).map(requestWith);
  const { authenticator } = new KeyServices({ store });
  for (const request of valid) await authenticator.authenticate(request, request);
  return { store, authenticator, valid };
}

/** Of every valid key, in microseconds, from asking to the answer. */
async function latencies(
  authenticator: BenchAuthenticator,
  valid: readonly BenchRequest[],
  flooded: boolean,
): Promise<number[]> {
  const times: number[] = [];
  for (let call = 0; call < VALID_CALLS; call += 1) {
    const request = valid[call % valid.length] ?? requestWith('');
    // Made either way: what it costs to make them is not the flood's.
    const strangers = Array.from({ length: PER_VALID }, () => requestWith(unknownKey()));
    const asked = (flooded ? strangers : []).map(async (stranger) => authenticator.authenticate(stranger, stranger));
    const start = process.hrtime.bigint();
    // As the guard does: it waits only for a promise.
    const answer = authenticator.authenticate(request, request);
    const { status } = answer instanceof Promise ? await answer : answer;
    times.push(Number(process.hrtime.bigint() - start) / 1_000);
    if (status !== 'authenticated') throw new Error(`A valid key was answered '${status}' in the flood.`);
    for (const refused of await Promise.all(asked)) requireInvalid(refused.status);
  }
  return times;
}

async function residueRows(): Promise<Row[]> {
  const { store, authenticator, valid } = await warmServices();
  const heaps = [heapAfterCollection()];
  let lost = 0;
  let remembered = 0;
  for (let round = 0; round < HEAP_ROUNDS; round += 1) {
    const strangers = Array.from({ length: FLOOD }, unknownKey);
    for (const text of strangers) requireInvalid((await authenticator.authenticate(requestWith(text), {})).status);
    lost += await countReads(store, authenticator, valid);
    if (round === 0) remembered = await countRemembered(store, authenticator, strangers.reverse());
    strangers.length = 0;
    heaps.push(heapAfterCollection());
  }
  const growth = heaps.slice(1).map((heap, index) => heap - (heaps[index] ?? 0));
  const [first = Number.NaN, ...later] = growth;
  return [
    { 'what is left': 'store calls for valid keys', ...judged('value', lost, 0) },
    { 'what is left': 'unknown keys remembered', ...judged('value', remembered, MAX_ENTRIES) },
    { 'what is left': 'heap growth MB, first', ...judged('value', first) },
    {
      'what is left': 'heap growth MB, then, worst',
      ...judged('value', Math.max(...later), HEAP_LIMIT_MB),
    },
    {
      'what is left': 'heap growth MB, then, median',
      ...judged('value', quantile(later, 0.5), HEAP_LIMIT_MB),
    },
  ];
}

async function countReads(
  store: CountingManagedStore,
  authenticator: BenchAuthenticator,
  requests: readonly BenchRequest[],
): Promise<number> {
  const before = store.reads;
  for (const request of requests) await authenticator.authenticate(request, request);
  return store.reads - before;
}

/** The newest first, since whoever is asked for again pushes out an old one. */
async function countRemembered(
  store: CountingManagedStore,
  authenticator: BenchAuthenticator,
  newestFirst: readonly string[],
): Promise<number> {
  let remembered = 0;
  for (const text of newestFirst) {
    if ((await countReads(store, authenticator, [requestWith(text)])) === 0) remembered += 1;
  }
  return remembered;
}

function requireInvalid(status: string): void {
  if (status !== 'invalid') throw new Error(`An unknown key was answered '${status}'.`);
}

/** In MB. */
function heapAfterCollection(): number {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  // What is only freed by a finalizer is there after the first.
  collect();
  collect();
  return process.memoryUsage().heapUsed / 2 ** 20;
}
