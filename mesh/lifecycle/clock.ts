import { setTimeout as delay } from "node:timers/promises";

/** Time as a dependency, so that what waits can be tested without waiting. */
export interface Clock {
  /** Wall-clock milliseconds since the epoch: for validity periods and for people. */
  now(): number;
  /** Milliseconds that only grow: for measuring and for scheduling. */
  monotonic(): number;
  /** Resolves after `ms`, or at once when the signal is aborted. Never rejects. */
  sleep(ms: number, signal: AbortSignal): Promise<void>;
}

/** `setTimeout` fires at once for longer delays (Node's limit is a signed 32-bit number of milliseconds). */
const LONGEST_TIMER_MS = 2 ** 31 - 1;

export const systemClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  async sleep(ms, signal) {
    const end = performance.now() + ms;
    for (let left = ms; left > 0 && !signal.aborted; left = end - performance.now()) {
      await delay(Math.min(left, LONGEST_TIMER_MS), undefined, { signal }).catch(() => undefined);
    }
  },
};
