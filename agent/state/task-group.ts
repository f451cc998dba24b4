import type { Task } from "../../mesh/lifecycle/run-tasks.ts";

interface Running {
  readonly stop: AbortController;
  readonly done: Promise<void>;
}

/** Tasks that come and go while the program runs, each under a key. */
export class TaskGroup {
  readonly #running = new Map<string, Running>();
  readonly #onFailure: (key: string, error: unknown) => void;

  /** A task that throws is over; `onFailure` hears of it, the others go on. */
  constructor(onFailure: (key: string, error: unknown) => void) {
    this.#onFailure = onFailure;
  }

  /** Does nothing when a task already runs under the key. */
  start(key: string, task: Task): void {
    if (this.#running.has(key)) return;
    const stop = new AbortController();
    const done = (async () => {
      try {
        await task(stop.signal);
      } catch (error) {
        this.#onFailure(key, error);
      } finally {
        if (this.#running.get(key)?.stop === stop) this.#running.delete(key);
      }
    })();
    this.#running.set(key, { stop, done });
  }

  has(key: string): boolean {
    return this.#running.has(key);
  }

  /** Aborts a task's signal and returns when it has ended. */
  async stop(key: string): Promise<void> {
    const running = this.#running.get(key);
    running?.stop.abort();
    await running?.done;
  }

  async stopAll(): Promise<void> {
    await Promise.all([...this.#running.keys()].map((key) => this.stop(key)));
  }
}
