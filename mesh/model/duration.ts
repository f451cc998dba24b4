const UNIT_NANOSECONDS: Readonly<Record<string, bigint>> = {
  h: 3_600_000_000_000n,
  m: 60_000_000_000n,
  s: 1_000_000_000n,
  ms: 1_000_000n,
  us: 1_000n,
  µs: 1_000n,
  ns: 1n,
};

const DURATION = /^(?:\d{1,18}(?:\.\d{0,12})?(?:h|ms|us|µs|ns|m|s))+$/;
const PART = /(\d+)(?:\.(\d*))?(h|ms|us|µs|ns|m|s)/g;
const FRACTION_DIGITS = 12;
const NANOSECONDS_PER_MS = 1_000_000n;
/** Go's time.Duration, in which Istio keeps them, ends here. */
const LONGEST_NANOSECONDS = 2n ** 63n - 1n;

/** Milliseconds, or what is wrong with the text. */
export type ParsedDuration = { readonly ms: number } | { readonly problem: string };

/** Reads a duration as Go and Istio write it: `2s`, `1m30s`, `500ms`, `1.5h`. Whole milliseconds only, as in Istio. */
export function parseDuration(text: string): ParsedDuration {
  if (text === "0") return { ms: 0 };
  if (text.startsWith("-")) return { problem: "must not be negative" };
  if (text.length > 64 || !DURATION.test(text)) {
    const hint = /^\d+$/.test(text) ? ` (did you mean \`${text}s\`?)` : "";
    return { problem: `is not a duration: write it like 2s, 500ms or 1m30s${hint}` };
  }
  let total = 0n;
  for (const [, whole = "0", fraction = "", unit = ""] of text.matchAll(PART)) {
    const size = UNIT_NANOSECONDS[unit] ?? 0n;
    const scaled = BigInt(fraction.padEnd(FRACTION_DIGITS, "0"));
    total += BigInt(whole) * size + (scaled * size) / 10n ** BigInt(FRACTION_DIGITS);
  }
  if (total > LONGEST_NANOSECONDS) return { problem: "is too long: 292 years is the limit" };
  if (total % NANOSECONDS_PER_MS !== 0n) return { problem: "must be a whole number of milliseconds" };
  return { ms: Number(total / NANOSECONDS_PER_MS) };
}
