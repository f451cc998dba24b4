import type { Clock } from "../../mesh/lifecycle/clock.ts";

export interface DebounceOptions {
  readonly clock: Clock;
  /** A burst is over after this long without a further trigger. */
  readonly quietMs: number;
  /** No trigger waits longer than this. */
  readonly capMs: number;
}

/**
 * Runs an action after triggers: at once (in a microtask) for a lone one, once for a burst, and never later than the cap.
 * For `quietMs` after a run further triggers count as a burst.
 */
export class Debounce {
  readonly #options: DebounceOptions;
  readonly #action: () => void;
  #wake: (() => void) | undefined;
  /** When the first and the last trigger came that no run has answered yet. */
  #waiting: { readonly first: number; readonly last: number } | undefined;

  constructor(options: DebounceOptions, action: () => void) {
    this.#options = options;
    this.#action = action;
  }

  trigger(): void {
    const now = this.#options.clock.monotonic();
    this.#waiting = { first: this.#waiting?.first ?? now, last: now };
    this.#wake?.();
  }

  /** Answers triggers, also those that came before, until the signal is aborted. Throws what the action throws. */
  async run(signal: AbortSignal): Promise<void> {
    while (await this.#triggered(signal)) {
      this.#fire();
      while (await this.#burst(signal)) this.#fire();
    }
  }

  #fire(): void {
    this.#waiting = undefined;
    this.#action();
  }

  /** After a run: true when more triggers have come and are over (or at the cap), false when none came. */
  async #burst(signal: AbortSignal): Promise<boolean> {
    const { clock, quietMs, capMs } = this.#options;
    await clock.sleep(quietMs, signal);
    while (this.#waiting !== undefined && !signal.aborted) {
      const due = Math.min(this.#waiting.last + quietMs, this.#waiting.first + capMs);
      const left = due - clock.monotonic();
      if (left <= 0) return true;
      await clock.sleep(left, signal);
    }
    return false;
  }

  async #triggered(signal: AbortSignal): Promise<boolean> {
    if (this.#waiting === undefined && !signal.aborted) {
      const { promise, resolve } = Promise.withResolvers<void>();
      this.#wake = resolve;
      signal.addEventListener("abort", this.#wake, { once: true });
      await promise;
      signal.removeEventListener("abort", this.#wake);
      this.#wake = undefined;
    }
    return !signal.aborted;
  }
}
