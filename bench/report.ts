import { execFileSync } from "node:child_process";
import { mkdir, writeFile } from "node:fs/promises";
import { cpus, loadavg } from "node:os";
import { join, resolve } from "node:path";

/** One figure of a benchmark, as it is kept in `bench-results/`. */
export interface Result {
  readonly name: string;
  readonly value: number;
  readonly unit: string;
  /** Null: told for information. */
  readonly target: number | null;
  readonly better: "higher" | "lower";
  /** Who else was measured, in the same run and unit. */
  readonly peer?: { readonly name: string; readonly value: number };
}

const FOLDER = resolve(import.meta.dirname, "../bench-results");

/** What figures are compared by: a run says nothing without it. */
interface Run {
  /** RFC 3339. */
  readonly date: string;
  /** What was measured; `+` at its end: with changes that are not committed. */
  readonly commit: string;
  readonly cores: number;
  readonly cpu: string;
  /** Over 1, 5 and 15 minutes, at the end of the run. */
  readonly load: readonly number[];
  readonly results: readonly Result[];
}

/** Prints the figures and writes them to `bench-results/<benchmark>.json`. */
export async function report(benchmark: string, results: readonly Result[]): Promise<void> {
  console.log(toTable(results));
  const run: Run = {
    date: new Date().toISOString(),
    commit: commit(),
    cores: cpus().length,
    cpu: cpus()[0]?.model ?? "",
    load: loadavg().map((value) => rounded(value)),
    results,
  };
  console.log(
    `\n${run.commit}, ${run.cores} cores, load ${run.load.join(" ")} over 1, 5 and 15 minutes, ${run.date}`,
  );
  await mkdir(FOLDER, { recursive: true });
  await writeFile(join(FOLDER, `${benchmark}.json`), `${JSON.stringify(run, undefined, 2)}\n`);
}

function commit(): string {
  const git = (...words: readonly string[]): string =>
    execFileSync("git", words, { cwd: import.meta.dirname, encoding: "utf8" }).trim();
  const changed = git("status", "--porcelain", "--untracked-files=no") === "" ? "" : "+";
  return `${git("rev-parse", "--short", "HEAD")}${changed}`;
}

function toTable(results: readonly Result[]): string {
  const rows = results.map((result) => [
    result.name,
    String(result.value),
    result.unit,
    result.target === null ? "" : `${result.better === "higher" ? "≥" : "≤"} ${result.target}`,
    verdict(result),
    result.peer === undefined ? "" : `${result.peer.name} ${result.peer.value}`,
  ]);
  const all = [["figure", "value", "unit", "target", "met", "peer"], ...rows];
  const widths = all[0]?.map((_, column) => Math.max(...all.map((row) => row[column]?.length ?? 0))) ?? [];
  return all
    .map((row) => row.map((cell, column) => pad(cell, widths[column] ?? 0, column)).join("  "))
    .join("\n");
}

/** Values and targets stand with their last digits below each other. */
function pad(cell: string, width: number, column: number): string {
  return column === 1 || column === 3 ? cell.padStart(width) : cell.padEnd(width);
}

function verdict({ value, target, better }: Result): string {
  if (target === null) return "";
  return (better === "higher" ? value >= target : value <= target) ? "yes" : "no";
}

/** The value below which that share of the samples lies (nearest rank). */
export function percentile(samples: readonly number[], share: number): number {
  const sorted = [...samples].sort((a, b) => a - b);
  return sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] ?? Number.NaN;
}

export function rounded(value: number, digits = 1): number {
  return Number(value.toFixed(digits));
}

/** p50, p95, p99 and the worst of latencies in milliseconds; `targets` are those of p50 and p99. */
export function latencies(
  name: string,
  samples: readonly number[],
  targets?: { readonly p50: number; readonly p99: number },
): readonly Result[] {
  const row = (label: string, value: number, target: number | null = null): Result => ({
    name: `${name} ${label}`,
    value: rounded(value),
    unit: "ms",
    target,
    better: "lower",
  });
  return [
    row("p50", percentile(samples, 0.5), targets?.p50),
    row("p95", percentile(samples, 0.95)),
    row("p99", percentile(samples, 0.99), targets?.p99),
    row("max", Math.max(...samples)),
  ];
}
