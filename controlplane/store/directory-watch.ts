import { type FSWatcher, watch } from "node:fs";
import type { Clock } from "../../mesh/lifecycle/clock.ts";

export interface ChangeWait {
  readonly rescanMs: number;
  readonly debounceMs: number;
  readonly signal: AbortSignal;
}

/** A directory that is written to without a pause is read after so many quiet times all the same. */
const MOST_DEBOUNCES = 10;

/**
 * Tells when a directory may have changed: by notification where there is one, and after a while in any case. Nothing
 * is missed that happens after `open`.
 */
export class DirectoryWatch {
  readonly #directory: string;
  readonly #clock: Clock;
  #watcher: FSWatcher | undefined;
  #change = new AbortController();

  constructor(directory: string, clock: Clock) {
    this.#directory = directory;
    this.#clock = clock;
  }

  /** Starts a new watch: the path may stand for another directory by now. Without one there is the slow re-scan. */
  open(): void {
    this.#change = new AbortController();
    this.#watcher?.close();
    try {
      this.#watcher = watch(this.#directory, { persistent: false }, () => this.#change.abort());
      this.#watcher.on("error", () => this.#change.abort());
    } catch {
      this.#watcher = undefined;
    }
  }

  /** Resolves when something changed and it has been quiet since, or when it is time for a look, or on abort. */
  async changed({ rescanMs, debounceMs, signal }: ChangeWait): Promise<void> {
    await this.#clock.sleep(rescanMs, AbortSignal.any([signal, this.#change.signal]));
    for (let round = 0; round < MOST_DEBOUNCES && this.#change.signal.aborted; round += 1) {
      this.#change = new AbortController();
      await this.#clock.sleep(debounceMs, signal);
    }
  }

  [Symbol.dispose](): void {
    this.#watcher?.close();
  }
}
