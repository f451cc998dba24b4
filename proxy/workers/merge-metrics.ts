/** Samples of one metric, in Prometheus' text format (0.0.4). */
interface Family {
  /** Its HELP and TYPE lines. */
  readonly comments: string[];
  type: string;
  /** By name and labels, as they are written. */
  readonly samples: Map<string, number>;
}

type Families = Map<string, Family>;

/** What each worker tells of the whole process: the same, but for a moment. */
const OF_THE_PROCESS: ReadonlySet<string> = new Set([
  "envoy_server_uptime",
  "istio_build",
  "process_cpu_seconds_total",
  "process_open_fds",
  "process_resident_memory_bytes",
]);
const GROWING: ReadonlySet<string> = new Set(["counter", "histogram", "summary"]);

/**
 * One text for what several workers count: each series is the sum of theirs. What `gone` ones counted last stays in
 * counters, which must never go back; their gauges are gone with them.
 */
export function mergeMetrics(texts: readonly string[], gone: readonly string[] = []): string {
  const families: Families = new Map();
  for (const text of texts) add(families, parse(text), () => true);
  for (const text of gone) add(families, parse(text), ({ type }) => GROWING.has(type));
  return [...families.values()].map(print).join("");
}

function parse(text: string): Families {
  const families: Families = new Map();
  let current: Family | undefined;
  for (const line of text.split("\n")) {
    if (line === "") continue;
    const [, word, name = "", rest = ""] = /^# (HELP|TYPE) (\S+) ?(.*)$/.exec(line) ?? [];
    if (word !== undefined) {
      current = familyOf(families, name);
      current.comments.push(line);
      if (word === "TYPE") current.type = rest;
    } else if (!line.startsWith("#")) {
      const at = line.lastIndexOf(" ");
      current?.samples.set(line.slice(0, at), Number(line.slice(at + 1)));
    }
  }
  return families;
}

function add(into: Families, from: Families, counts: (family: Family) => boolean): void {
  for (const [name, family] of from) {
    if (!counts(family)) continue;
    const sum = into.get(name) ?? { ...family, samples: new Map<string, number>() };
    into.set(name, sum);
    for (const [series, value] of family.samples) {
      const before = sum.samples.get(series) ?? 0;
      sum.samples.set(series, OF_THE_PROCESS.has(name) ? Math.max(before, value) : before + value);
    }
  }
}

function familyOf(families: Families, name: string): Family {
  const family = families.get(name) ?? { comments: [], type: "untyped", samples: new Map<string, number>() };
  families.set(name, family);
  return family;
}

function print({ comments, samples }: Family): string {
  const lines = [...comments, ...[...samples].map(([series, value]) => `${series} ${value}`)];
  return `${lines.join("\n")}\n\n`;
}
