import { createHmac, hash, timingSafeEqual } from 'node:crypto';
import type { KeyfenceOptions } from 'nestjs-keyfence';
import { KeyDigester } from './internals.js';
import { KeyServices, requestWith, type BenchRequest } from './key-services.js';
import { addKeys, CountingManagedStore, locatorOf, unknownKey } from './keys.js';
import { cpuOf, interleave, spreadOf } from './measure.js';
import { judged, type Report, type Row } from './report.js';

/** As many as the cache holds by default. */
const KEYS = 10_000;
const ROUNDS = 60;
const WARM_UP_ROUNDS = 10;
/** Below the cache's default `ttl` by more than a round takes. */
const WARM_FOR_MS = 15_000;
const LIMIT = 1.43;
const WAITING = 100;

const SECRET = 'a pepper of thirty-two characters';
const PEPPERS = { current: '1', secrets: { '1': SECRET } };

/** CPU of a verify that the cache answers, and what one costs the store that it does not. */
export async function measureCached(report: Report): Promise<void> {
  report.table({
    part: 'cached',
    title: `cached: ApiKeyAuthenticator.authenticate() with the default cache, warm, ${KEYS.toLocaleString('en')} keys`,
    notes: [
      'Hand-written, in the same rounds: an async function that awaits a Map of records behind an async function, then',
      'the digest and timingSafeEqual of texts. Bare: a plain function over a Map of prepared buffers. Neither checks a form,',
      'a checksum, a date, an environment or a header, notes a use or makes a principal.',
      `CPU microseconds a call, ${ROUNDS} rounds of ${KEYS.toLocaleString('en')} calls, every key once. Store calls and writes are of all rounds.`,
    ],
    rows: [...(await compareDigest('SHA-256', undefined)), ...(await compareDigest('HMAC, pepper', PEPPERS))],
  });
  report.table({
    part: 'cached',
    title: 'cached: calls of the store for one verify',
    notes: [`Many at once: ${WAITING} requests with one key, before the first of them is answered.`],
    rows: await countCalls(),
  });
}

async function compareDigest(name: string, peppers: typeof PEPPERS | undefined): Promise<Row[]> {
  const store = new CountingManagedStore();
  const texts = await addKeys(store, KEYS, new KeyDigester(peppers));
  shuffle(texts);
  const ours = new WarmServices(store, texts, { store, apiKey: peppers && { peppers } });
  const digest = peppers === undefined ? sha256 : hmac;
  const handWritten = new HandWritten(texts, digest);
  const bare = new Bare(texts, digest);
  const perCall = async (work: () => unknown) => (await cpuOf(work)) / KEYS;
  const variants = {
    keyfence: () => ours.round(perCall),
    'hand-written': () => perCall(() => handWritten.verifyAll(texts)),
    bare: () =>
      perCall(() => {
        bare.verifyAll(texts);
      }),
  };
  await interleave(variants, WARM_UP_ROUNDS);
  ours.reads = 0;
  ours.writes = 0;
  const samples = await interleave(variants, ROUNDS);
  const own = spreadOf(samples.keyfence);
  return (['hand-written', 'bare'] as const).map((baseline) => {
    const theirs = spreadOf(samples[baseline]);
    return {
      digest: name,
      baseline,
      'keyfence us': own.median,
      p10: own.p10,
      'baseline us': theirs.median,
      'its p10': theirs.p10,
      'store calls': ours.reads,
      writes: ours.writes,
      'by median': own.median / theirs.median,
      ...judged('by p10', own.p10 / theirs.p10, baseline === 'hand-written' ? LIMIT : undefined),
    };
  });
}

/** Keyfence with a cache that knows every key at each round; what it costs to know them is not counted. */
class WarmServices {
  reads = 0;
  writes = 0;
  readonly #services: KeyServices;
  readonly #requests: readonly BenchRequest[];
  #warmUntil = -Infinity;

  constructor(
    private readonly store: CountingManagedStore,
    texts: readonly string[],
    options: KeyfenceOptions,
  ) {
    this.#services = new KeyServices(options);
    this.#requests = texts.map(requestWith);
  }

  async round(measure: (work: () => unknown) => Promise<number>): Promise<number> {
    if (performance.now() > this.#warmUntil) await this.#warm();
    const { store } = this;
    const [reads, writes] = [store.reads, store.writes];
    const cost = await measure(() => {
      for (const request of this.#requests) this.#verify(request);
    });
    this.reads += store.reads - reads;
    this.writes += store.writes - writes;
    return cost;
  }

  async #warm(): Promise<void> {
    const { authenticator, cache } = this.#services;
    cache.reset();
    for (const request of this.#requests) await authenticator.authenticate(request, request);
    this.#warmUntil = performance.now() + WARM_FOR_MS;
  }

  #verify(request: BenchRequest): void {
    const found = this.#services.authenticator.authenticate(request, request);
    if (found instanceof Promise || found.status !== 'authenticated') throw new Error('The cache did not know a key.');
  }
}

/** What a team writes by hand: records with digests as text behind a store that answers by a promise, as stores do. */
class HandWritten {
  readonly #records = new Map<string, { readonly tenantId: string; readonly digest: string }>();

  constructor(
    texts: readonly string[],
    private readonly digest: Digest,
  ) {
    for (const text of texts) this.#records.set(locatorOf(text), { tenantId: 'acme', digest: digest(text) });
  }

  async verifyAll(texts: readonly string[]): Promise<void> {
    for (const text of texts) if ((await this.#verify(text)) === undefined) throw new Error('A key is not known.');
  }

  async #verify(text: string): Promise<string | undefined> {
    const record = await this.#find(text.slice(7, 23));
    if (record === undefined) return undefined;
    const matches = timingSafeEqual(Buffer.from(this.digest(text)), Buffer.from(record.digest));
    return matches ? record.tenantId : undefined;
  }

  // eslint-disable-next-line @typescript-eslint/require-await -- stores are asynchronous
  async #find(id: string): Promise<{ readonly tenantId: string; readonly digest: string } | undefined> {
    return this.#records.get(id);
  }
}

/** The floor: a plain function with everything prepared. */
class Bare {
  readonly #digests = new Map<string, Buffer>();

  constructor(
    texts: readonly string[],
    private readonly digest: Digest,
  ) {
    for (const text of texts) this.#digests.set(locatorOf(text), Buffer.from(digest(text)));
  }

  verifyAll(texts: readonly string[]): void {
    for (const text of texts) if (!this.#verify(text)) throw new Error('A key is not known.');
  }

  #verify(text: string): boolean {
    const digest = this.#digests.get(text.slice(7, 23));
    return digest !== undefined && timingSafeEqual(Buffer.from(this.digest(text)), digest);
  }
}

type Digest = (text: string) => string;

function sha256(text: string): string {
  return hash('sha256', text, 'hex');
}

function hmac(text: string): string {
  return createHmac('sha256', SECRET).update(text).digest('hex');
}

async function countCalls(): Promise<Row[]> {
  const store = new CountingManagedStore();
  const [known = '', shared = ''] = await addKeys(store, 2);
  const { authenticator, writes } = new KeyServices({ store });
  const ask = async (text: string) => (await authenticator.authenticate(requestWith(text), {})).status;
  const unknown = unknownKey();
  const rows: Row[] = [];
  const count = async (name: string, status: string, expected: number, run: () => Promise<string[]>) => {
    const [reads, written] = [store.reads, store.writes];
    const statuses = await run();
    if (statuses.some((other) => other !== status)) throw new Error(`'${name}' was answered '${statuses.join()}'.`);
    const [calls, synchronousWrites] = [store.reads - reads, store.writes - written];
    rows.push({
      verify: name,
      answer: status,
      'synchronous writes': synchronousWrites,
      'store calls': calls,
      target: `= ${expected}, 0 writes`,
      verdict: calls === expected && synchronousWrites === 0 ? 'ok' : 'over',
    });
  };
  await count('first', 'authenticated', 1, async () => [await ask(known)]);
  await count('again', 'authenticated', 0, async () => [await ask(known)]);
  await count('many at once', 'authenticated', 1, () =>
    Promise.all(Array.from({ length: WAITING }, () => ask(shared))),
  );
  await count('unknown', 'invalid', 1, async () => [await ask(unknown)]);
  await count('unknown, again', 'invalid', 0, async () => [await ask(unknown)]);
  await count('malformed', 'invalid', 0, async () => [await ask('not-a-key')]);
  await count('wrong checksum', 'invalid', 0, async () => [await ask(mistyped(known))]);
  await writes.onModuleDestroy();
  rows.push({
    verify: 'uses, written later',
    'store calls': store.writes,
    target: '= 1',
    verdict: store.writes === 1 ? 'ok' : 'over',
  });
  return rows;
}

/** Keys come in no order, and what is looked up is not where the last one was. */
function shuffle(texts: string[]): void {
  for (let end = texts.length - 1; end > 0; end -= 1) {
    const other = Math.floor(Math.random() * (end + 1));
    [texts[end], texts[other]] = [texts[other] ?? '', texts[end] ?? ''];
  }
}

function mistyped(text: string): string {
  return text.slice(0, -1) + (text.endsWith('0') ? '1' : '0');
}
