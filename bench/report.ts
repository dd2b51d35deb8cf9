import { readFileSync } from 'node:fs';
import { cpus, release } from 'node:os';

export type Cell = string | number | undefined;
export type Row = Readonly<Record<string, Cell>>;

/** Figures of one kind. The columns are the keys of its rows, in the order of the first row that has them. */
export interface Table {
  readonly part: string;
  readonly title: string;
  readonly rows: readonly Row[];
  /** What was measured and how, for whoever reads the figures. */
  readonly notes: readonly string[];
}

export interface Report {
  machine(): void;
  table(table: Table): void;
}

/** Aligned tables for people. */
export class TextReport implements Report {
  machine(): void {
    const { node, cpu, cores, kernel, version } = describeMachine();
    console.log(`nestjs-keyfence ${version} on Node ${node}, ${cpu} (${cores} cores), Linux ${kernel}`);
    console.log(
      "p10 is of the rounds that nothing disturbed, and what ratios are judged by. 'over' and 'under' are information: nothing fails.",
    );
  }

  table({ title, rows, notes }: Table): void {
    const columns = [...new Set(rows.flatMap((row) => Object.keys(row)))];
    const lines = [columns, ...rows.map((row) => columns.map((column) => textOf(row[column])))];
    const widths = columns.map((_, index) => Math.max(...lines.map((line) => line[index]?.length ?? 0)));
    console.log(`\n${title}`);
    for (const note of notes) console.log(`  ${note}`);
    for (const line of lines) {
      const cells = line.map((cell, index) => {
        const width = widths[index] ?? 0;
        return index === 0 ? cell.padEnd(width) : cell.padStart(width);
      });
      console.log(`  ${cells.join('  ').trimEnd()}`);
    }
  }
}

/** One JSON object a line for programs: the machine first, then every row. */
export class JsonReport implements Report {
  machine(): void {
    console.log(JSON.stringify({ part: 'machine', ...describeMachine() }));
  }

  table({ part, title, rows }: Table): void {
    for (const row of rows) console.log(JSON.stringify({ part, table: title, ...row }));
  }
}

/** A ratio beside the target it should stay below, and whether it does; without a target it is for information. */
export function judged(name: string, ratio: number, limit?: number): Row {
  if (limit === undefined) return { [name]: ratio, target: '', verdict: 'for information' };
  return { [name]: ratio, target: `<= ${limit}`, verdict: ratio <= limit ? 'ok' : 'over' };
}

/** The same for what should be at least as large. */
export function judgedAtLeast(name: string, ratio: number, limit: number): Row {
  return { [name]: ratio, target: `>= ${limit}`, verdict: ratio >= limit ? 'ok' : 'under' };
}

function textOf(cell: Cell): string {
  if (cell === undefined) return '';
  if (typeof cell === 'string') return cell;
  return Number.isInteger(cell) ? cell.toLocaleString('en') : cell.toFixed(2);
}

function describeMachine() {
  const [cpu, ...others] = cpus();
  const { version } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as {
    readonly version: string;
  };
  return { version, node: process.versions.node, cpu: cpu?.model ?? '?', cores: others.length + 1, kernel: release() };
}
