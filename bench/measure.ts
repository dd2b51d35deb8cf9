/** Microseconds of CPU that a piece of work took, on all threads of this process: waiting costs nothing here. */
export async function cpuOf(work: () => unknown): Promise<number> {
  const before = process.cpuUsage();
  await work();
  const { user, system } = process.cpuUsage(before);
  return user + system;
}

/** What one variant cost, operation by operation, in the rounds it had. */
export interface Spread {
  readonly p10: number;
  readonly p25: number;
  readonly median: number;
}

/**
 * Runs every variant once per round, each time another one first, and gives what each returned. What slows the machine for
 * a while slows them all, and the low quantiles are the rounds that nothing disturbed.
 */
export async function interleave<Name extends string>(
  variants: Readonly<Record<Name, () => number | Promise<number>>>,
  rounds: number,
): Promise<Record<Name, number[]>> {
  const names = Object.keys(variants) as Name[];
  const samples = Object.fromEntries(names.map((name) => [name, [] as number[]])) as Record<Name, number[]>;
  for (let round = 0; round < rounds; round += 1) {
    for (let turn = 0; turn < names.length; turn += 1) {
      const name = names[(round + turn) % names.length];
      if (name !== undefined) samples[name].push(await variants[name]());
    }
  }
  return samples;
}

export function spreadOf(values: readonly number[]): Spread {
  return { p10: quantile(values, 0.1), p25: quantile(values, 0.25), median: quantile(values, 0.5) };
}

/** Interpolated between the two nearest values. */
export function quantile(values: readonly number[], fraction: number): number {
  const sorted = [...values].sort((left, right) => left - right);
  const position = (sorted.length - 1) * fraction;
  const below = sorted[Math.floor(position)] ?? Number.NaN;
  const above = sorted[Math.ceil(position)] ?? Number.NaN;
  return below + (above - below) * (position - Math.floor(position));
}
