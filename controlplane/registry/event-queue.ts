import type { RegistryEvent } from "./registry.ts";

/**
 * Events on their way to one reader. A newer event of a service takes the place of one not read yet, so that a slow
 * reader costs no more than one event a service.
 */
export class EventQueue {
  readonly #waiting = new Map<string, RegistryEvent>();
  #wake: () => void = () => {};

  push(event: RegistryEvent): void {
    this.#waiting.set(event.kind === "service" ? `${event.namespace}/${event.service}` : "", event);
    this.#wake();
  }

  /** Yields events in the order in which their services first changed, until the signal is aborted. */
  async *read(signal: AbortSignal): AsyncGenerator<RegistryEvent, void> {
    const onAbort = (): void => this.#wake();
    signal.addEventListener("abort", onAbort, { once: true });
    try {
      while (!signal.aborted) {
        const [first] = this.#waiting;
        if (first === undefined) {
          await new Promise<void>((resolve) => {
            this.#wake = resolve;
          });
          continue;
        }
        this.#waiting.delete(first[0]);
        yield first[1];
      }
    } finally {
      signal.removeEventListener("abort", onAbort);
    }
  }
}
