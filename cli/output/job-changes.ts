import type { Change } from "../nomad/inject/changes.ts";
import { printable } from "./table.ts";

/** `+ TaskGroups["app"].Tasks["lateen"]` and below it what is new; `~` with both values for what differs. */
export function changeLines(changes: readonly Change[]): readonly string[] {
  return changes.flatMap(({ path, before, after }) => {
    if (before === undefined) return [`+ ${path}`, ...valueLines(after)];
    if (after === undefined) return [`- ${path}`, ...valueLines(before)];
    return [`~ ${path}: ${printable(JSON.stringify(before))} → ${printable(JSON.stringify(after))}`];
  });
}

function valueLines(value: unknown): readonly string[] {
  return JSON.stringify(value, undefined, 2)
    .split("\n")
    .map((line) => `    ${printable(line)}`);
}
