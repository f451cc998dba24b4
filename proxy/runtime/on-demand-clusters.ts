import type { Clock } from "../../mesh/lifecycle/clock.ts";

/** Listeners name the clusters, so these are as many as there are services; beyond that something is wrong. */
const MOST_CLUSTERS = 10_000;
const MOST_WAITING = 1000;

export interface OnDemandDeps {
  readonly clock: Clock;
  /** Called when there are more to ask for. */
  readonly ask: () => void;
}

/**
 * Clusters that are asked for as connections for them come (ODCDS). What was asked for is wanted from then on, until the
 * server takes it away.
 */
export class OnDemandClusters {
  readonly #deps: OnDemandDeps;
  /** Undefined: there is an answer, or nobody waits for one any more. */
  readonly #asked = new Map<string, PromiseWithResolvers<void> | undefined>();
  #waiting = 0;

  constructor(deps: OnDemandDeps) {
    this.#deps = deps;
  }

  get names(): Iterable<string> {
    return this.#asked.keys();
  }

  /** Resolves when the cluster has come, or is said not to exist, and at the latest after `longestMs`. */
  async ask(name: string, longestMs: number, gone: AbortSignal): Promise<void> {
    const answer = this.#request(name);
    if (answer === undefined || this.#waiting >= MOST_WAITING) return;
    const done = new AbortController();
    this.#waiting++;
    try {
      const patience = this.#deps.clock.sleep(longestMs, AbortSignal.any([gone, done.signal]));
      await Promise.race([answer.promise, patience]);
    } finally {
      this.#waiting--;
      done.abort();
    }
  }

  /** The cluster is there. */
  put(name: string): void {
    if (!this.#asked.has(name)) return;
    this.#asked.get(name)?.resolve();
    this.#asked.set(name, undefined);
  }

  /** There is no such cluster, or no longer: the next connection for it asks again. */
  remove(name: string): void {
    this.#asked.get(name)?.resolve();
    this.#asked.delete(name);
  }

  #request(name: string): PromiseWithResolvers<void> | undefined {
    const known = this.#asked.get(name);
    if (known !== undefined) return known;
    if (!this.#asked.has(name) && this.#asked.size >= MOST_CLUSTERS) return undefined;
    const answer = Promise.withResolvers<void>();
    this.#asked.set(name, answer);
    this.#deps.ask();
    return answer;
  }
}
