import { type FieldPath, formatPath } from "../../../mesh/model/finding.ts";
import { isRecord } from "../job/fields.ts";

/** One difference between two jobs; undefined is what is not there. */
export interface Change {
  /** `TaskGroups["app"].Tasks["lateen"]`: parts of lists go by their name where they have one. */
  readonly path: string;
  readonly before: unknown;
  readonly after: unknown;
}

/** What differs, in the order of the fields. What is `null`, empty or not there is the same to Nomad. */
export function changesBetween(before: unknown, after: unknown): readonly Change[] {
  return compare([], before, after);
}

function compare(path: FieldPath, before: unknown, after: unknown): readonly Change[] {
  if (isNothing(before) && isNothing(after)) return [];
  if (isRecord(before) && isRecord(after)) {
    return compareParts(path, Object.entries(before), Object.entries(after));
  }
  if (Array.isArray(before) && Array.isArray(after) && isNamed(before) && isNamed(after)) {
    return compareParts(path, namedParts(before), namedParts(after));
  }
  if (JSON.stringify(before) === JSON.stringify(after)) return [];
  return [
    {
      path: formatPath(path),
      before: isNothing(before) ? undefined : before,
      after: isNothing(after) ? undefined : after,
    },
  ];
}

type Parts = readonly (readonly [string, unknown])[];

function compareParts(path: FieldPath, before: Parts, after: Parts): readonly Change[] {
  const then = new Map(before);
  const now = new Map(after);
  const names = new Set([...then.keys(), ...now.keys()]);
  return [...names].flatMap((name) => compare([...path, name], then.get(name), now.get(name)));
}

function namedParts(list: readonly unknown[]): Parts {
  return list.map((item) => [nameOf(item) ?? "", item]);
}

/** Whether every part has a name that no other has. */
function isNamed(list: readonly unknown[]): boolean {
  const names = list.map(nameOf);
  return names.every((name) => name !== undefined) && new Set(names).size === list.length;
}

/** Tasks, groups, services have a name, ports a label; a network's mode stands for the one network of a group. */
function nameOf(item: unknown): string | undefined {
  if (!isRecord(item)) return undefined;
  const name =
    item["Name"] ?? item["Label"] ?? (Object.hasOwn(item, "DynamicPorts") ? item["Mode"] : undefined);
  return typeof name === "string" && name !== "" ? name : undefined;
}

function isNothing(value: unknown): boolean {
  if (value === undefined || value === null || value === "") return true;
  return Array.isArray(value) ? value.length === 0 : isRecord(value) && Object.keys(value).length === 0;
}
