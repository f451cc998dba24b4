/** A number that JSON has and JavaScript would round: kept as it was written. */
type Kept = object;

interface RawJson {
  readonly rawJSON: (text: string) => Kept;
}

/** Nomad's durations are nanoseconds and its indices 64 bits wide: both may be beyond 2^53. */
const LONG_NUMBER = /\d{16}/;

/** Reads JSON so that `printJson` gives every number back as it was. Throws SyntaxError, and RangeError when too deep. */
export function parseJson(text: string): unknown {
  if (!LONG_NUMBER.test(text)) return JSON.parse(text);
  const parse = JSON.parse as (text: string, revive: Revive) => unknown;
  return parse(text, (_key, value, { source }) => {
    if (typeof value !== "number" || source === undefined || String(value) === source) return value;
    return (JSON as unknown as RawJson).rawJSON(source);
  });
}

type Revive = (key: string, value: unknown, context: { readonly source?: string }) => unknown;

export function printJson(value: unknown, indent?: number): string {
  return JSON.stringify(value, undefined, indent);
}
