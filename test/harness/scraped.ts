/** One sample of a metrics page. */
export interface Scraped {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

/** Reads Prometheus' text format as strictly as the server does: a line that is none throws. */
export function parseScraped(text: string): readonly Scraped[] {
  return text
    .split("\n")
    .filter((line) => line !== "" && !line.startsWith("#"))
    .map((line) => {
      const [, name = "", , inside = "", value = ""] =
        /^([a-zA-Z_:][\w:]*)(\{((?:[a-zA-Z_]\w*="(?:[^"\\\n]|\\["\\n])*",?)*)\})? (\S+)$/.exec(line) ?? [];
      if (name === "" || Number.isNaN(Number(value))) throw new Error(`not a sample: ${line}`);
      const labels = [...inside.matchAll(/(\w+)="((?:[^"\\]|\\.)*)"/g)].map(([, key = "", text = ""]) => [
        key,
        text.replaceAll(/\\(.)/g, (_, escaped: string) => (escaped === "n" ? "\n" : escaped)),
      ]);
      return { name, labels: Object.fromEntries(labels) as Record<string, string>, value: Number(value) };
    });
}

/** Those of a name, with these labels. */
export function samplesOf(
  all: readonly Scraped[],
  name: string,
  labels: Readonly<Record<string, string | RegExp>> = {},
): readonly Scraped[] {
  return all.filter(
    (one) =>
      one.name === name &&
      Object.entries(labels).every(([label, wanted]) =>
        typeof wanted === "string" ? one.labels[label] === wanted : wanted.test(one.labels[label] ?? ""),
      ),
  );
}

export function sumOf(samples: readonly Scraped[]): number {
  return samples.reduce((sum, { value }) => sum + value, 0);
}
