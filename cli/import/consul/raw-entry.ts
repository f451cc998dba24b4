import { isFields } from "../../../mesh/model/plain-data.ts";

/** An entry as Consul prints it, without the fields that say nothing. */
export type RawEntry = Readonly<Record<string, unknown>>;

/** Where Consul's zero is a value and not the absence of one. */
const ZERO_COUNTS: ReadonlySet<string> = new Set(["Weight", "EnforcingConsecutive5xx", "MaxEjectionPercent"]);

/** Go prints fields that nobody set: null, "", 0, false, empty lists. An empty object may mean something, and stays. */
export function withoutNothing(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutNothing);
  if (!isFields(value)) return value;
  return Object.fromEntries(
    Object.entries(value)
      .filter(([key, each]) => !isNothing(each) || (each === 0 && ZERO_COUNTS.has(key)))
      .map(([key, each]) => [key, withoutNothing(each)]),
  );
}

function isNothing(value: unknown): boolean {
  return (
    [null, undefined, "", 0, false, "0s"].includes(value as string) ||
    (Array.isArray(value) && value.length === 0)
  );
}

/** The paths of an entry's leaves, each once: `Routes[].Match.HTTP.PathExact`. */
export function leafPaths(value: unknown, path = ""): ReadonlySet<string> {
  if (Array.isArray(value)) return new Set(value.flatMap((each) => [...leafPaths(each, `${path}[]`)]));
  if (!isFields(value)) return new Set([path]);
  return new Set(
    Object.entries(value).flatMap(([key, each]) => [
      ...leafPaths(each, path === "" ? key : `${path}.${key}`),
    ]),
  );
}
