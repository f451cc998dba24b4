import type { MetadataMatch, ValueMatch } from "../model/metadata.ts";
import type { RequestFacts } from "./facts.ts";
import { compileString } from "./matchers.ts";

type Fields = Readonly<Record<string, unknown>>;

/** What filters leave behind about one request, for filters after them and for routes. */
export class RequestMetadata {
  readonly #byFilter = new Map<string, Fields>();

  /** Adds fields to those that the filter has left before. */
  add(filter: string, fields: Fields): void {
    this.#byFilter.set(filter, { ...this.#byFilter.get(filter), ...fields });
  }

  /** Undefined: there is no such value. */
  get(filter: string, path: readonly string[]): unknown {
    let value: unknown = this.#byFilter.get(filter);
    for (const key of path) {
      if (typeof value !== "object" || value === null || Array.isArray(value)) return undefined;
      if (!Object.hasOwn(value, key)) return undefined;
      value = (value as Fields)[key];
    }
    return value;
  }
}

export function compileMetadata({
  filter,
  path,
  value,
  invert,
}: MetadataMatch): (request: RequestFacts) => boolean {
  const test = compileValue(value);
  return ({ metadata }) => test(metadata.get(filter, path)) !== invert;
}

/** A value that is not there passes where absence is asked for, and nowhere else. */
function compileValue(match: ValueMatch): (value: unknown) => boolean {
  switch (match.kind) {
    case "string": {
      const test = compileString(match.match);
      return (value) => typeof value === "string" && test(value);
    }
    case "bool":
      return (value) => value === match.value;
    case "null":
      return (value) => value === null;
    case "present":
      return (value) => (value !== undefined) === match.present;
    case "list": {
      const test = compileValue(match.oneOf);
      return (value) => Array.isArray(value) && value.some((one) => test(one));
    }
    case "or": {
      const tests = match.values.map(compileValue);
      return (value) => tests.some((test) => test(value));
    }
    default:
      return match satisfies never;
  }
}
