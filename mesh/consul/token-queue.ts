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
   * Waits for its turn and takes a token; one whose signal is aborted takes none. Each caller that waits has work of its
   * own to do, so the queue is as long as there are callers, no longer.
   */
  take(signal: AbortSignal): Promise<void> {
    const turn = this.#after(this.#last, signal);
    this.#last = turn;
    return turn;
  }

  async #after(before: Promise<void>, signal: AbortSignal): Promise<void> {
    await before;
    if (!signal.aborted) await this.#bucket.take(signal);
  }
}
