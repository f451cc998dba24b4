/** What a scrape can carry: each series of HTTP is some sixty lines of it. */
export const MOST_SERIES = 2000;

interface BoundedSeriesOptions<S> {
  readonly create: (labels: string) => S;
  /** Makes the one series that stands for all that there is no room for. */
  readonly overflow: () => S;
  /** Called once, when there is no room any more. */
  readonly full: () => void;
  readonly most?: number;
}

/**
 * Series by their labels. Callers and configuration have a say in labels, so there is a bound: what comes beyond it is
 * counted in one series more.
 */
export class BoundedSeries<S> {
  readonly #options: BoundedSeriesOptions<S>;
  readonly #most: number;
  readonly #byLabels = new Map<string, S>();
  #overflow: S | undefined;

  constructor(options: BoundedSeriesOptions<S>) {
    this.#options = options;
    this.#most = options.most ?? MOST_SERIES;
  }

  /** Undefined: there was room for all. */
  get overflow(): S | undefined {
    return this.#overflow;
  }

  at(labels: string): S {
    const known = this.#byLabels.get(labels);
    if (known !== undefined) return known;
    const { create } = this.#options;
    if (this.#byLabels.size >= this.#most) return this.#overflown();
    const created = create(labels);
    this.#byLabels.set(labels, created);
    return created;
  }

  all(): readonly S[] {
    return this.#overflow === undefined
      ? [...this.#byLabels.values()]
      : [...this.#byLabels.values(), this.#overflow];
  }

  #overflown(): S {
    if (this.#overflow !== undefined) return this.#overflow;
    const { overflow, full } = this.#options;
    full();
    return (this.#overflow = overflow());
  }
}
