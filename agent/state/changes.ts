import type { Clock } from "../../mesh/lifecycle/clock.ts";
import { orAborted } from "./or-aborted.ts";

/** Tells listeners what changed; how it is now, they read themselves. */
export class Changes<T = void> {
  readonly #listeners = new Set<(what: T) => void>();

  /** Calls `listener` after every change until the returned function is called. */
  subscribe(listener: (what: T) => void): () => void {
    this.#listeners.add(listener);
    return () => {
      this.#listeners.delete(listener);
    };
  }

  notify(what: T): void {
    for (const listener of this.#listeners) listener(what);
  }
}

/** A flag that one loop waits on. Raising it twice before the loop looks wakes the loop once. */
export class Wake {
  #raised = Promise.withResolvers<void>();

  raise(): void {
    this.#raised.resolve();
  }

  /** Returns when raised (and lowers the flag), or when the signal is aborted. */
  async wait(signal: AbortSignal): Promise<void> {
    await orAborted(this.#raised.promise, signal);
    this.#raised = Promise.withResolvers<void>();
  }

  /** Returns when raised, after `ms`, or when the signal is aborted. */
  async waitFor(clock: Clock, ms: number, signal: AbortSignal): Promise<void> {
    const over = new AbortController();
    const either = AbortSignal.any([signal, over.signal]);
    await Promise.race([this.wait(either), clock.sleep(ms, either)]);
    over.abort();
  }
}
