import type { Logger } from "../../mesh/telemetry/logger.ts";
import type { StoreChange } from "./config-store.ts";

type Listener = (changes: readonly StoreChange[]) => void;

/** Who wants to know of changes. A listener that throws is logged and keeps nobody else from hearing. */
export class ChangeListeners {
  readonly #listeners = new Set<{ readonly call: Listener }>();
  readonly #logger: Logger;

  constructor(logger: Logger) {
    this.#logger = logger;
  }

  add(call: Listener, signal: AbortSignal): void {
    if (signal.aborted) return;
    const entry = { call };
    this.#listeners.add(entry);
    signal.addEventListener("abort", () => this.#listeners.delete(entry), { once: true });
  }

  tell(changes: readonly StoreChange[]): void {
    if (changes.length === 0) return;
    for (const { call } of this.#listeners) {
      try {
        call(changes);
      } catch (error) {
        this.#logger.error("a listener to configuration changes failed", { error });
      }
    }
  }
}
