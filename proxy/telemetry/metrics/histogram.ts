import type { HistogramSample } from "./families.ts";

/** Envoy's, for times as for sizes, so that `le` is the same across Envoy, Istio and this proxy. */
export const BOUNDS: readonly number[] = [
  0.5, 1, 5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10_000, 30_000, 60_000, 300_000, 600_000, 1_800_000,
  3_600_000,
];

/** How often values were how large. */
export class Histogram {
  readonly #counts = new Float64Array(BOUNDS.length + 1);
  #sum = 0;

  add(value: number): void {
    let bucket = 0;
    while (bucket < BOUNDS.length && value > (BOUNDS[bucket] ?? 0)) bucket++;
    this.#counts[bucket] = (this.#counts[bucket] ?? 0) + 1;
    this.#sum += value;
  }

  sample(labels: string): HistogramSample {
    return { labels, counts: [...this.#counts], sum: this.#sum };
  }
}
