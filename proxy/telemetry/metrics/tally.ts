import { labelText, type MetricFamily } from "./families.ts";

/** A counter whose labels become text when somebody asks. */
export class Tally<T extends string> {
  readonly #config: { readonly name: string; readonly help: string; readonly labelNames: readonly T[] };
  readonly #counts = new Map<string, { readonly values: readonly string[]; count: number }>();

  constructor(config: { readonly name: string; readonly help: string; readonly labelNames: readonly T[] }) {
    this.#config = config;
  }

  /** Values in the order of the labels' names. */
  add(...values: readonly string[]): void {
    const key = values.length === 1 ? (values[0] ?? "") : values.join("\0");
    const known = this.#counts.get(key);
    if (known) known.count++;
    else this.#counts.set(key, { values, count: 1 });
  }

  family(): MetricFamily {
    const { name, help, labelNames } = this.#config;
    const samples = [...this.#counts.values()].map(({ values, count }) => ({
      labels: labelText(Object.fromEntries(labelNames.map((label, index) => [label, values[index] ?? ""]))),
      value: count,
    }));
    return { name, help, type: "counter", samples };
  }
}
