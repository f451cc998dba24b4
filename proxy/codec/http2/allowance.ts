/**
 * A bucket of tokens: so many at once, so many a second more, and more for useful work. What is free for the peer and
 * costs us takes one.
 */
export class Allowance {
  readonly #burst: number;
  readonly #perSecond: number;
  readonly #now: () => number;
  #left: number;
  #filledAt: number;

  /** `now`: milliseconds of a clock that never goes back. */
  constructor(burst: number, perSecond: number, now: () => number) {
    this.#burst = burst;
    this.#perSecond = perSecond;
    this.#now = now;
    this.#left = burst;
    this.#filledAt = now();
  }

  /** False when there is nothing left. */
  take(): boolean {
    if (this.#left < 1) {
      const now = this.#now();
      this.earn(((now - this.#filledAt) / 1000) * this.#perSecond);
      this.#filledAt = now;
      if (this.#left < 1) return false;
    }
    this.#left--;
    return true;
  }

  earn(tokens: number): void {
    this.#left = Math.min(this.#burst, this.#left + tokens);
  }
}
