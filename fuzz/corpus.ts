import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

const FOLDER = join(import.meta.dirname, "corpus");

/** The inputs that are kept for a target: one a line, in base64, the shortest first. */
export function readCorpus(target: string): readonly Buffer[] {
  const file = fileOf(target);
  if (!existsSync(file)) return [];
  const lines = readFileSync(file, "utf8").split("\n").slice(0, -1);
  return lines.map((line) => Buffer.from(line, "base64"));
}

export function writeCorpus(target: string, inputs: readonly Buffer[]): void {
  const sorted = inputs.toSorted((a, b) => a.length - b.length || a.compare(b));
  mkdirSync(FOLDER, { recursive: true });
  writeFileSync(fileOf(target), sorted.map((input) => `${input.toString("base64")}\n`).join(""));
}

function fileOf(target: string): string {
  return join(FOLDER, `${target}.txt`);
}
