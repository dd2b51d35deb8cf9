import { BaselineVerifier } from './baseline-verifier.js';
import { KeyServices, requestWith, type BenchAuthenticator, type BenchRequest } from './key-services.js';
import { CountingStore, fillStore, storeWithWrongSecrets, unknownKey } from './keys.js';
import { cpuOf, interleave, spreadOf } from './measure.js';
import type { Report, Row } from './report.js';
import type { ApiKeyStore } from 'nestjs-keyfence';

const KEYS = 10_000;
const CALLS = 2_000;
const ROUNDS = 60;
const WARM_UP_ROUNDS = 10;

interface Case {
  readonly name: string;
  readonly texts: readonly string[];
  readonly store: ApiKeyStore;
  readonly baseline: BaselineVerifier;
  readonly status: 'authenticated' | 'invalid';
  readonly storeCalls: number;
}

/** Microseconds of CPU to verify one key, without HTTP and without Nest. */
export async function measureVerify(report: Report): Promise<void> {
  const rows: Row[] = [];
  for (const testCase of await makeCases()) rows.push(await measureCase(testCase));
  report.table({
    part: 'verify',
    title: `verify: ApiKeyAuthenticator.authenticate() over an InMemoryApiKeyStore of ${KEYS.toLocaleString('en')} keys, cache: false`,
    notes: [
      'Baseline in the same rounds: CRC-32 checksum + HMAC-SHA-256 + Map + timingSafeEqual in one async function, and no more.',
      `CPU microseconds a call, ${ROUNDS} rounds of ${CALLS.toLocaleString('en')} calls; store calls are counted.`,
    ],
    rows,
  });
}

async function makeCases(): Promise<Case[]> {
  const { store, texts } = await fillStore(KEYS);
  const baseline = new BaselineVerifier(texts);
  const sample = texts.slice(0, CALLS);
  return [
    { name: 'valid', texts: sample, store, baseline, status: 'authenticated', storeCalls: 1 },
    { name: 'unknown', texts: sample.map(unknownKey), store, baseline, status: 'invalid', storeCalls: 1 },
    {
      name: 'wrong secret',
      texts: sample,
      store: await storeWithWrongSecrets(texts),
      baseline: new BaselineVerifier(texts, unknownKey),
      status: 'invalid',
      storeCalls: 1,
    },
    { name: 'bad checksum', texts: sample.map(mistyped), store, baseline, status: 'invalid', storeCalls: 0 },
    { name: 'malformed', texts: sample.map(cutShort), store, baseline, status: 'invalid', storeCalls: 0 },
  ];
}

async function measureCase({ name, texts, store, baseline, status, storeCalls }: Case): Promise<Row> {
  const { authenticator } = new KeyServices({ store, cache: false });
  const requests = texts.map(requestWith);
  const variants = {
    keyfence: async () => (await cpuOf(() => authenticateAll(authenticator, requests))) / requests.length,
    baseline: async () => (await cpuOf(() => verifyAll(baseline, texts))) / texts.length,
  };
  await interleave(variants, WARM_UP_ROUNDS);
  const samples = await interleave(variants, ROUNDS);
  const [ours, theirs] = [spreadOf(samples.keyfence), spreadOf(samples.baseline)];
  const calls = await countStoreCalls(store, requests, status);
  return {
    key: name,
    'keyfence us': ours.median,
    p10: ours.p10,
    'baseline us': theirs.median,
    'its p10': theirs.p10,
    'by median': ours.median / theirs.median,
    'by p10': ours.p10 / theirs.p10,
    'store calls': calls,
    target: `= ${storeCalls}`,
    verdict: calls === storeCalls ? 'ok' : 'over',
  };
}

async function authenticateAll(authenticator: BenchAuthenticator, requests: readonly BenchRequest[]): Promise<void> {
  for (const request of requests) await authenticator.authenticate(request, request);
}

async function verifyAll(baseline: BaselineVerifier, texts: readonly string[]): Promise<void> {
  for (const text of texts) await baseline.verify(text);
}

/** Also shows that the figures are of what their name says. */
async function countStoreCalls(
  store: ApiKeyStore,
  requests: readonly BenchRequest[],
  expected: string,
): Promise<number> {
  const counting = new CountingStore(store);
  const { authenticator } = new KeyServices({ store: counting, cache: false });
  for (const request of requests) {
    const { status } = await authenticator.authenticate(request, request);
    if (status !== expected) throw new Error(`A key was answered '${status}' instead of '${expected}'.`);
  }
  return counting.calls / requests.length;
}

function mistyped(text: string): string {
  return text.slice(0, -1) + (text.endsWith('0') ? '1' : '0');
}

function cutShort(text: string): string {
  return text.slice(0, 20);
}
