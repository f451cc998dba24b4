import { Counter, type CounterConfiguration, type Registry } from "prom-client";

/** A counter for what every request counts: labels become a sample when somebody asks. */
export interface Tally {
  /** Values in the order of the labels' names. */
  add(...values: readonly string[]): void;
}

export function tally<T extends string>(
  registry: Registry,
  config: Omit<CounterConfiguration<T>, "labelNames" | "registers" | "collect"> & {
    readonly labelNames: readonly T[];
  },
): Tally {
  const counts = new Map<string, { readonly values: readonly string[]; count: number }>();
  const counter = new Counter<T>({
    ...config,
    labelNames: [...config.labelNames],
    registers: [],
    collect() {
      this.reset();
      for (const { values, count } of counts.values()) this.labels(...values).inc(count);
    },
  });
  registry.registerMetric(counter);
  return {
    add(...values) {
      const key = values.join("\0");
      const known = counts.get(key);
      if (known) known.count++;
      else counts.set(key, { values, count: 1 });
    },
  };
}
