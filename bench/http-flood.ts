import { Child } from './child.js';
import type { FloodServerReady } from './flood-server.js';
import { unknownKey } from './keys.js';
import { interleave, spreadOf } from './measure.js';
import type { PacedAnswer, PacedQuestion } from './paced-client.js';
import { judged, type Report, type Row } from './report.js';

const VALID_KEYS = 1_000;
/** Four times what the cache remembers, so that nearly every one is asked of the store. */
const UNKNOWN_KEYS = 40_000;
const CONNECTIONS = 32;
const WARM_UP_MS = 2_000;
const CAPACITY_MS = 3_000;
const ROUND_MS = 1_500;
const ROUNDS = 7;
/** Of what the server can do. */
const VALID_SHARE = 0.1;
const FLOOD_SHARE = 0.5;
const LIMIT = 2;

/** The same over HTTP: what the holders of valid keys wait while half of the server's power goes into unknown ones. */
export async function measureHttpFlood(report: Report): Promise<void> {
  const rows: Row[] = [];
  for (const adapter of ['express', 'fastify']) rows.push(...(await flood(adapter)));
  report.table({
    part: 'flood',
    title: 'flood: over HTTP on loopback, a Nest application with the defaults of Keyfence',
    notes: [
      `Valid keys at ${VALID_SHARE * 100}% of the rate that the server reaches at most, and beside them nothing, unknown keys at ${FLOOD_SHARE * 100}%, or as many`,
      `requests with valid keys more. Three processes; ${ROUNDS} interleaved rounds of ${ROUND_MS / 1_000} s. Microseconds from when a request was due,`,
      'p99 of a round, the median of rounds. A server at 60% makes requests wait for each other whatever they are: the row',
      '"than valid ones" says what it matters that the keys are unknown.',
    ],
    rows,
  });
}

async function flood(adapter: string): Promise<Row[]> {
  const { child: server, ready } = await Child.start('flood-server.js', [adapter, String(VALID_KEYS)]);
  const { port, texts } = ready as FloodServerReady;
  const clients: Child[] = [server];
  const clientWith = async (keys: readonly string[]) => {
    const { child } = await Child.start('paced-client.js', [String(port), String(CONNECTIONS)]);
    clients.unshift(child);
    await child.ask(keys);
    return (question: PacedQuestion) => child.ask(question) as Promise<PacedAnswer>;
  };
  try {
    const valid = await clientWith(texts);
    const more = await clientWith(texts);
    const unknown = await clientWith(Array.from({ length: UNKNOWN_KEYS }, unknownKey));
    await valid({ milliseconds: WARM_UP_MS, status: 200 });
    await unknown({ milliseconds: WARM_UP_MS, status: 401 });
    const { perSecond: capacity } = await valid({ milliseconds: CAPACITY_MS, status: 200 });
    const { perSecond: unknownCapacity } = await unknown({ milliseconds: CAPACITY_MS, status: 401 });
    const p50s: Record<string, number[]> = { quiet: [], flooded: [], busy: [] };
    const round = async (name: string, beside: () => Promise<PacedAnswer> | undefined) => {
      const other = beside();
      const { p50, p99 } = await valid({ rate: capacity * VALID_SHARE, milliseconds: ROUND_MS, status: 200 });
      await other;
      p50s[name]?.push(p50);
      return p99;
    };
    const besides = { rate: capacity * FLOOD_SHARE, milliseconds: ROUND_MS };
    const samples = await interleave(
      {
        quiet: () => round('quiet', () => undefined),
        flooded: () => round('flooded', () => unknown({ ...besides, status: 401 })),
        busy: () => round('busy', () => more({ ...besides, status: 200 })),
      },
      ROUNDS,
    );
    const p99 = { quiet: spreadOf(samples.quiet), flooded: spreadOf(samples.flooded), busy: spreadOf(samples.busy) };
    const row = (name: string, other: 'quiet' | 'busy', limit?: number): Row => ({
      server: adapter,
      'valid/s at most': Math.round(capacity),
      'unknown/s at most': Math.round(unknownCapacity),
      'p99 of valid keys': name,
      'without p50': spreadOf(p50s[other] ?? []).median,
      'with p50': spreadOf(p50s.flooded ?? []).median,
      'without p99': p99[other].median,
      'with p99': p99.flooded.median,
      'by p10': p99.flooded.p10 / p99[other].p10,
      ...judged('by median', p99.flooded.median / p99[other].median, limit),
    });
    return [row('flood / nothing beside', 'quiet', LIMIT), row('flood / than valid ones', 'busy')];
  } finally {
    for (const child of clients) await child.stop();
  }
}
