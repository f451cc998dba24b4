import type { Clock } from "../lifecycle/clock.ts";
import { TokenBucket } from "./token-bucket.ts";

/** A token bucket for many callers: they are let through in the order in which they came. */
export class TokenQueue {
  readonly #bucket: TokenBucket;
  #last: Promise<void> = Promise.resolve();

  constructor(clock: Clock, burst: number, refillMs: number) {
    this.#bucket = new TokenBucket(clock, burst, refillMs);
  }

  /**
   * Waits for its turn and takes a token; returns at once, and takes none, when the signal is aborted. Each caller that
   * waits has work of its own to do, so the queue is as long as there are callers, no longer.
   */
  async take(signal: AbortSignal): Promise<void> {
    const turn = this.#after(this.#last, signal);
    this.#last = turn;
    if (signal.aborted) return;
    const { promise: aborted, resolve } = Promise.withResolvers<void>();
    const abort = (): void => resolve();
    signal.addEventListener("abort", abort);
    await Promise.race([turn, aborted]);
    signal.removeEventListener("abort", abort);
  }

  async #after(before: Promise<void>, signal: AbortSignal): Promise<void> {
    await before;
    if (!signal.aborted) await this.#bucket.take(signal);
  }
}
