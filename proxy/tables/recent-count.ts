const STEPS = 10;

/** How many things happened within a time that moves along, in steps of a tenth of it. */
export class RecentCount {
  readonly intervalMs: number;
  readonly #stepMs: number;
  readonly #counts: number[] = Array.from({ length: STEPS }, () => 0);
  #step = 0;
  #sum = 0;

  constructor(intervalMs: number) {
    this.intervalMs = intervalMs;
    this.#stepMs = Math.max(1, intervalMs / STEPS);
  }

  /** `nowMs`, monotonic, here as in `at`. */
  note(nowMs: number): void {
    this.#move(nowMs);
    const slot = this.#step % STEPS;
    this.#counts[slot] = (this.#counts[slot] ?? 0) + 1;
    this.#sum++;
  }

  at(nowMs: number): number {
    this.#move(nowMs);
    return this.#sum;
  }

  #move(nowMs: number): void {
    const step = Math.floor(nowMs / this.#stepMs);
    const gone = Math.min(step - this.#step, STEPS);
    for (let ahead = 1; ahead <= gone; ahead++) {
      const slot = (this.#step + ahead) % STEPS;
      this.#sum -= this.#counts[slot] ?? 0;
      this.#counts[slot] = 0;
    }
    this.#step = Math.max(step, this.#step);
  }
}
