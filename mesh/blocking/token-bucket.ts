import type { Clock } from "../lifecycle/clock.ts";

/** Lets `burst` through at once and then one every `refillMs`. */
export class TokenBucket {
  readonly #clock: Clock;
  readonly #burst: number;
  readonly #refillMs: number;
  #tokens: number;
  #countedAt: number;

  constructor(clock: Clock, burst: number, refillMs: number) {
    this.#clock = clock;
    this.#burst = burst;
    this.#refillMs = refillMs;
    this.#tokens = burst;
    this.#countedAt = clock.monotonic();
  }

  /** Waits for a token and takes it; returns at once when the signal is aborted. For one caller at a time. */
  async take(signal: AbortSignal): Promise<void> {
    this.#refill();
    if (this.#tokens < 1) {
      await this.#clock.sleep((1 - this.#tokens) * this.#refillMs, signal);
      this.#refill();
    }
    this.#tokens = Math.max(0, this.#tokens - 1);
  }

  #refill(): void {
    const now = this.#clock.monotonic();
    this.#tokens = Math.min(this.#burst, this.#tokens + (now - this.#countedAt) / this.#refillMs);
    this.#countedAt = now;
  }
}
