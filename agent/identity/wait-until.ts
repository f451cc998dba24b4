import type { Clock } from "../../mesh/lifecycle/clock.ts";

/** How often the wall clock is looked at again: a clock that jumps and a host that slept are noticed this late. */
const LOOK_AGAIN_MS = 30_000;

/**
 * Returns at wall-clock time `atMs`, or when the signal is aborted. A wall clock that jumps forward ends the wait; one
 * that jumps back does not make it longer, as the time that really passes is counted too.
 */
export async function waitUntil(clock: Clock, atMs: number, signal: AbortSignal): Promise<void> {
  const end = clock.monotonic() + (atMs - clock.now());
  while (!signal.aborted) {
    const left = Math.min(atMs - clock.now(), end - clock.monotonic());
    if (left <= 0) return;
    await clock.sleep(Math.min(left, LOOK_AGAIN_MS), signal);
  }
}
