import type { StoreChange } from "./config-store.ts";

type Guard = (changes: readonly StoreChange[]) => void;

/** Who is asked before changes are stored. */
export class ChangeGuards {
  readonly #guards = new Set<{ readonly check: Guard }>();

  add(check: Guard, signal: AbortSignal): void {
    if (signal.aborted) return;
    const entry = { check };
    this.#guards.add(entry);
    signal.addEventListener("abort", () => this.#guards.delete(entry), { once: true });
  }

  /** Throws what the first that refuses throws. */
  ask(changes: readonly StoreChange[]): void {
    if (changes.length === 0) return;
    for (const { check } of this.#guards) check(changes);
  }
}
