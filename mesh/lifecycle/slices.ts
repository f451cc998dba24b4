/** Work that may be interrupted wherever it yields. */
export type Steps<T> = Generator<undefined, T, undefined>;

/** All of it at once. */
export function finish<T>(steps: Steps<T>): T {
  for (;;) {
    const step = steps.next();
    if (step.done) return step.value;
  }
}

/** What waits for this thread meanwhile, such as a call, waits for a few of these: one for each of its reads. */
const SLICE_MS = 2;

export interface SlicesOptions {
  /** Milliseconds that only grow. */
  readonly now: () => number;
  readonly sliceMs?: number;
  /** Resolves when all that is ready has had its turn. */
  readonly turn?: () => Promise<void>;
}

/** Divides long work into slices, between which the event loop turns. */
export class Slices {
  readonly #now: () => number;
  readonly #sliceMs: number;
  readonly #turn: () => Promise<void>;
  #sinceMs = Number.NEGATIVE_INFINITY;

  constructor({ now, sliceMs = SLICE_MS, turn = turnOfLoop }: SlicesOptions) {
    this.#now = now;
    this.#sliceMs = sliceMs;
    this.#turn = turn;
  }

  /** Rejects with the signal's reason when it is aborted; the work is then left where it is. */
  async run<T>(steps: Steps<T>, signal: AbortSignal): Promise<T> {
    try {
      for (;;) {
        signal.throwIfAborted();
        const step = steps.next();
        if (step.done) return step.value;
        if (this.#isOver()) await this.#pause();
      }
    } finally {
      steps.return(undefined as T);
    }
  }

  /** Between two steps of work that is no generator. Rejects likewise. */
  async step(signal: AbortSignal): Promise<void> {
    if (this.#isOver()) await this.#pause();
    signal.throwIfAborted();
  }

  #isOver(): boolean {
    return this.#now() - this.#sinceMs >= this.#sliceMs;
  }

  async #pause(): Promise<void> {
    await this.#turn();
    this.#sinceMs = this.#now();
  }
}

async function turnOfLoop(): Promise<void> {
  await new Promise((resolve) => setImmediate(resolve));
}
