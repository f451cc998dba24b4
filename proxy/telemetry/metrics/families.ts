/**
 * All samples of one metric as plain data, so that those of several workers can be sent, added up and then rendered.
 * `labels` are as Prometheus writes them, without braces.
 */
export type MetricFamily =
  | {
      readonly name: string;
      readonly help: string;
      readonly type: "counter" | "gauge";
      readonly samples: readonly Sample[];
    }
  | {
      readonly name: string;
      readonly help: string;
      readonly type: "histogram";
      /** Upper limits, lowest first; what is above the last is counted beyond it. */
      readonly bounds: readonly number[];
      readonly samples: readonly HistogramSample[];
    };

export interface Sample {
  readonly labels: string;
  readonly value: number;
}

export interface HistogramSample {
  readonly labels: string;
  /** One more than there are bounds; each counts what is in it alone. */
  readonly counts: readonly number[];
  readonly sum: number;
}

/** Adds up what several workers have counted: samples with equal labels become one, gauges too. */
export function mergeFamilies(parts: readonly (readonly MetricFamily[])[]): readonly MetricFamily[] {
  const merged = new Map<string, MetricFamily>();
  for (const family of parts.flat()) {
    const known = merged.get(family.name);
    merged.set(family.name, known === undefined ? family : added(known, family));
  }
  return [...merged.values()];
}

/** Prometheus' text format, version 0.0.4. */
export function renderFamilies(families: readonly MetricFamily[]): string {
  const lines = families.flatMap((family) => [
    `# HELP ${family.name} ${family.help}`,
    `# TYPE ${family.name} ${family.type}`,
    ...(family.type === "histogram"
      ? family.samples.flatMap((sample) => histogramLines(family.name, family.bounds, sample))
      : family.samples.map(({ labels, value }) => line(family.name, labels, value))),
  ]);
  return lines.map((one) => `${one}\n`).join("");
}

/** A set of labels as samples have it. */
export function labelText(labels: Readonly<Record<string, string>>): string {
  return Object.entries(labels)
    .map(([name, value]) => `${name}="${escaped(value)}"`)
    .join(",");
}

function added(one: MetricFamily, other: MetricFamily): MetricFamily {
  if (one.type === "histogram" && other.type === "histogram") {
    return { ...one, samples: byLabels([...one.samples, ...other.samples], addHistograms) };
  }
  if (one.type === "histogram" || other.type === "histogram") return one;
  return { ...one, samples: byLabels([...one.samples, ...other.samples], addValues) };
}

function byLabels<T extends { readonly labels: string }>(
  samples: readonly T[],
  add: (a: T, b: T) => T,
): readonly T[] {
  const merged = new Map<string, T>();
  for (const sample of samples) {
    const known = merged.get(sample.labels);
    merged.set(sample.labels, known === undefined ? sample : add(known, sample));
  }
  return [...merged.values()];
}

function addValues(a: Sample, b: Sample): Sample {
  return { labels: a.labels, value: a.value + b.value };
}

function addHistograms(a: HistogramSample, b: HistogramSample): HistogramSample {
  const counts = a.counts.map((count, index) => count + (b.counts[index] ?? 0));
  return { labels: a.labels, counts, sum: a.sum + b.sum };
}

function histogramLines(
  name: string,
  bounds: readonly number[],
  { labels, counts, sum }: HistogramSample,
): string[] {
  const more = labels === "" ? "" : `${labels},`;
  let total = 0;
  const buckets = [...bounds, "+Inf"].map((bound, index) => {
    total += counts[index] ?? 0;
    return line(`${name}_bucket`, `${more}le="${bound}"`, total);
  });
  return [...buckets, line(`${name}_sum`, labels, sum), line(`${name}_count`, labels, total)];
}

function line(name: string, labels: string, value: number): string {
  return labels === "" ? `${name} ${value}` : `${name}{${labels}} ${value}`;
}

function escaped(value: string): string {
  return value.replaceAll("\\", "\\\\").replaceAll("\n", "\\n").replaceAll('"', '\\"');
}
