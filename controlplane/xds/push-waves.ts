import { setImmediate as nextTurn } from "node:timers/promises";
import type { Clock } from "../../mesh/lifecycle/clock.ts";

/** A stream that is told of publications. */
interface Listening {
  /** `at`: when the first publication came that it has not seen (monotonic). */
  published(at: number): void;
}

/** How long the event loop is kept from everything else. */
const SLICE_MS = 5;

/** The clock costs something, too. */
const STEPS_PER_LOOK = 8;

/**
 * Takes publications to many streams in slices, one stream after the other, so that they do not stop the process. A
 * publication that comes while a stream still waits for the last is joined with it. What streams say meanwhile, mostly
 * acknowledgements from those that were told first, waits until all have been told.
 */
export class PushWaves {
  readonly #clock: Pick<Clock, "monotonic">;
  /** In the order in which they are told. */
  readonly #behind = new Map<Listening, number>();
  #said: (() => void)[] = [];
  #running: Promise<void> | undefined;

  constructor(clock: Pick<Clock, "monotonic">) {
    this.#clock = clock;
  }

  publish(streams: Iterable<Listening>): void {
    const at = this.#clock.monotonic();
    for (const stream of streams) if (!this.#behind.has(stream)) this.#behind.set(stream, at);
    this.#running ??= this.#run().finally(() => {
      this.#running = undefined;
    });
  }

  forget(stream: Listening): void {
    this.#behind.delete(stream);
  }

  /** Does at once, or when its turn comes, what follows from something that a stream said. */
  hear(work: () => void): void {
    if (this.#running === undefined) work();
    else this.#said.push(work);
  }

  /** Resolves when everybody has been told and heard. */
  async idle(): Promise<void> {
    await this.#running;
  }

  async #run(): Promise<void> {
    // New publications wait until all have been heard: they are not to keep acknowledgements waiting for ever.
    while (this.#behind.size > 0 || this.#said.length > 0) {
      await this.#inSlices([...this.#behind], ([stream, at]) => {
        if (this.#behind.delete(stream)) stream.published(at);
      });
      const said = this.#said;
      this.#said = [];
      await this.#inSlices(said, (work) => work());
    }
  }

  async #inSlices<T>(items: readonly T[], take: (item: T) => void): Promise<void> {
    let [steps, end] = [0, 0];
    for (const item of items) {
      if (steps % STEPS_PER_LOOK === 0 && this.#clock.monotonic() >= end) {
        await nextTurn();
        end = this.#clock.monotonic() + SLICE_MS;
      }
      steps += 1;
      take(item);
    }
  }
}
