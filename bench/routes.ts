import { Child } from './child.js';
import { interleave, spreadOf, type Spread } from './measure.js';
import { judged, type Report, type Row } from './report.js';
import type { RouteQuestion } from './route-app.js';
import { DESCRIPTIONS, VARIANTS, type Variant } from './route-variants.js';

const ADAPTERS = ['express', 'fastify'] as const;
type Adapter = (typeof ADAPTERS)[number];
const KEY_KINDS = ['valid', 'invalid'] as const;
type KeyKind = (typeof KEY_KINDS)[number];

/** Processes per variant: what the compiler made of the code varies from one to the next. */
const LAUNCHES = 3;
const ROUNDS = 25;
const WARM_UP_ROUNDS = 8;
/** Enough that every round holds two collections of young garbage: shorter ones would hide what garbage costs. */
const REQUESTS = { express: 600, fastify: 1_800 } as const;

type Samples = Record<KeyKind, Record<Variant, number[]>>;

/** Microseconds of CPU that protecting a route adds to a request. */
export async function measureRoutes(report: Report): Promise<void> {
  for (const adapter of ADAPTERS) {
    const samples = await sampleAdapter(adapter);
    report.table({
      part: 'route',
      title: `route: CPU microseconds per request of Nest on ${adapter}, and what is added to the bare route`,
      notes: [
        'Plain guard: what a team would write by hand, an async canActivate() with SHA-256 of the header, a Map look-up,',
        'timingSafeEqual and request.tenantId; no scopes, no expiry. Passport: the same check behind AuthGuard.',
        'In AsyncLocalStorage: the same, and the tenant is known to services, as it is by default with Keyfence.',
        'No sockets: requests come through memory into the parser of Node. Every variant has its own processes, so that each',
        `pays for itself alone: ${LAUNCHES} each, with ${ROUNDS} rounds of ${REQUESTS[adapter]} requests in turn, garbage collection included.`,
      ],
      rows: VARIANTS.map((variant) => costRow(variant, samples)),
    });
    report.table({
      part: 'route',
      title: `route: ratios on ${adapter}`,
      notes: ['Of what is added to the bare route, or of whole requests where the row says so. Judged by p10.'],
      rows: ratioRows(samples),
    });
  }
}

async function sampleAdapter(adapter: Adapter): Promise<Samples> {
  const all: Samples = { valid: emptySamples(), invalid: emptySamples() };
  for (let launch = 0; launch < LAUNCHES; launch += 1) {
    const children = await startAll(adapter);
    try {
      await sample(children, REQUESTS[adapter], WARM_UP_ROUNDS);
      const samples = await sample(children, REQUESTS[adapter], ROUNDS);
      for (const key of KEY_KINDS) for (const variant of VARIANTS) all[key][variant].push(...samples[key][variant]);
    } finally {
      await Promise.all(Object.values(children).map((child) => child.stop()));
    }
  }
  return all;
}

async function startAll(adapter: Adapter): Promise<Record<Variant, Child>> {
  const entries: [Variant, Child][] = [];
  for (const variant of VARIANTS) {
    const { child } = await Child.start('route-app.js', [adapter, variant]);
    entries.push([variant, child]);
  }
  return Object.fromEntries(entries) as Record<Variant, Child>;
}

async function sample(children: Readonly<Record<Variant, Child>>, requests: number, rounds: number): Promise<Samples> {
  const samplesOf = (key: KeyKind): Promise<Record<Variant, number[]>> => {
    const question: RouteQuestion = { key, requests };
    const ask = async (variant: Variant) => (await children[variant].ask(question)) as number;
    return interleave(
      Object.fromEntries(VARIANTS.map((variant) => [variant, () => ask(variant)])) as Record<
        Variant,
        () => Promise<number>
      >,
      rounds,
    );
  };
  return { valid: await samplesOf('valid'), invalid: await samplesOf('invalid') };
}

function emptySamples(): Record<Variant, number[]> {
  return Object.fromEntries(VARIANTS.map((variant) => [variant, []])) as unknown as Record<Variant, number[]>;
}

function costRow(variant: Variant, samples: Samples): Row {
  const [valid, invalid] = [spreadOf(samples.valid[variant]), spreadOf(samples.invalid[variant])];
  return {
    variant: DESCRIPTIONS[variant],
    valid: valid.median,
    p25: valid.p25,
    p10: valid.p10,
    added: addedBy(samples, 'valid', variant).median,
    'added p10': addedBy(samples, 'valid', variant).p10,
    invalid: invalid.median,
    'p10 ': invalid.p10,
    'added ': addedBy(samples, 'invalid', variant).median,
    'added p10 ': addedBy(samples, 'invalid', variant).p10,
  };
}

function addedBy(samples: Samples, key: KeyKind, variant: Variant): Spread {
  const [bare, own] = [spreadOf(samples.valid.bare), spreadOf(samples[key][variant])];
  return { p10: own.p10 - bare.p10, p25: own.p25 - bare.p25, median: own.median - bare.median };
}

function ratioRows(samples: Samples): Row[] {
  const ratio = (name: string, own: Spread, other: Spread, limit?: number): Row => ({
    ratio: name,
    'by median': own.median / other.median,
    'by p25': own.p25 / other.p25,
    ...judged('by p10', own.p10 / other.p10, limit),
  });
  const added = (key: KeyKind, variant: Variant) => addedBy(samples, key, variant);
  const whole = (key: KeyKind, variant: Variant) => spreadOf(samples[key][variant]);
  return [
    ratio('valid key: guard alone / plain guard', added('valid', 'guard'), added('valid', 'plain'), 1.3),
    ratio('valid key: guard + middleware / plain guard', added('valid', 'middleware'), added('valid', 'plain'), 2),
    ratio(
      'valid key: guard alone / plain guard in AsyncLocalStorage',
      added('valid', 'guard'),
      added('valid', 'plain-context'),
    ),
    ratio(
      'valid key: guard + middleware / plain guard in AsyncLocalStorage',
      added('valid', 'middleware'),
      added('valid', 'plain-context'),
    ),
    ratio(
      'valid key: guard alone without tenant context / plain guard',
      added('valid', 'guard-no-context'),
      added('valid', 'plain'),
    ),
    ratio(
      'valid key: guard + middleware without tenant context / plain guard',
      added('valid', 'middleware-no-context'),
      added('valid', 'plain'),
    ),
    ratio('valid key: guard alone / passport', added('valid', 'guard'), added('valid', 'passport'), 1),
    ratio('valid key: guard + middleware / passport', added('valid', 'middleware'), added('valid', 'passport'), 1),
    ratio('invalid / valid key, guard alone, whole request', whole('invalid', 'guard'), whole('valid', 'guard'), 1),
    ratio(
      'invalid / valid key, middleware, whole request',
      whole('invalid', 'middleware'),
      whole('valid', 'middleware'),
      1,
    ),
    ratio('invalid key: guard alone / plain guard', added('invalid', 'guard'), added('invalid', 'plain')),
    ratio('invalid key: guard alone / passport', added('invalid', 'guard'), added('invalid', 'passport'), 1),
    ratio(
      'invalid key answered by the middleware / bare route',
      whole('invalid', 'middleware'),
      whole('valid', 'bare'),
    ),
  ];
}
