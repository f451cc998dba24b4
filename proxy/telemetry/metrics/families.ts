/** All samples of one metric as plain data. `labels` are as Prometheus writes them, without braces. */
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
