import type { Clock } from "../lifecycle/clock.ts";

/**
 * What the queries of one catalog have in common: the indexes that they wait with. An index that goes backwards says that
 * it lost data or was restored, and then all indexes of before mean nothing: a query that waits with one waits for as
 * long as it may, because none that is newer comes. Whoever notices ends the epoch, and the others ask anew.
 */
export class IndexEpoch {
  readonly #clock: Pick<Clock, "monotonic">;
  readonly #restMs: number;
  #number = 0;
  #over = new AbortController();
  #endedAt: number | undefined;

  /** After an end nothing ends for `restMs`: a catalog whose indexes leap about is not asked without end. */
  constructor(clock: Pick<Clock, "monotonic">, restMs: number) {
    this.#clock = clock;
    this.#restMs = restMs;
  }

  /** Another one for each epoch. */
  get number(): number {
    return this.#number;
  }

  /** Aborted when the present epoch ends. */
  get over(): AbortSignal {
    return this.#over.signal;
  }

  end(): void {
    const now = this.#clock.monotonic();
    if (this.#endedAt !== undefined && now - this.#endedAt < this.#restMs) return;
    this.#endedAt = now;
    const ended = this.#over;
    this.#number += 1;
    this.#over = new AbortController();
    ended.abort();
  }
}
