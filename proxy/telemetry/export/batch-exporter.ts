import type { Delivery } from "./deliveries.ts";
import type { Outlet } from "./outlets.ts";

/** What waits for a collector that is slow. What comes beyond is dropped and counted. */
const MOST_WAITING = 10_000;
/** Likewise in characters, for callers decide how long an item is. */
const MOST_LENGTH = 16 * 1024 * 1024;
const MOST_AT_ONCE = 512;
/** Of a batch, unless one item is longer: receivers of gRPC take 4 MiB, and a character may be three bytes. */
const LENGTH_AT_ONCE = 1024 * 1024;

export interface BatchExporterOptions<T> {
  /** Tells whether the batch was taken. A rejection is a batch that was not. */
  readonly send: (items: readonly T[], signal: AbortSignal) => Promise<boolean>;
  readonly delivery: Delivery;
  /** Called when something waits. */
  readonly waits: () => void;
  /** Called when batches begin to be lost, with what was thrown, if anything was. */
  readonly lost: (error: unknown) => void;
  /** Aborted when nothing can be sent any more. */
  readonly gone: AbortSignal;
}

interface Waiting<T> {
  readonly item: T;
  readonly length: number;
}

/** Hands things over in batches, one at a time. What is not taken is dropped: telemetry never waits for its receivers. */
export class BatchExporter<T> implements Outlet {
  readonly #options: BatchExporterOptions<T>;
  #waiting: Waiting<T>[] = [];
  /** Of what waits. */
  #length = 0;
  #sending: Promise<void> | undefined;
  #isLosing = false;

  constructor(options: BatchExporterOptions<T>) {
    this.#options = options;
  }

  get idle(): boolean {
    return this.#waiting.length === 0 && this.#sending === undefined;
  }

  /** `length`: about how many characters the item has. */
  add(item: T, length: number): void {
    if (this.#waiting.length >= MOST_WAITING || this.#length + length > MOST_LENGTH) {
      this.#options.delivery.dropped++;
      return;
    }
    this.#length += length;
    const count = this.#waiting.push({ item, length });
    if (count === 1) this.#options.waits();
    if (count >= MOST_AT_ONCE && !this.#isLosing) this.begin();
  }

  begin(): void {
    this.#sending ??= this.#sendAll().finally(() => (this.#sending = undefined));
  }

  async close(): Promise<void> {
    await this.#sending;
    this.begin();
    await this.#sending;
  }

  /** Until nothing waits, or a batch is not taken: the next attempt is another second's. */
  async #sendAll(): Promise<void> {
    const { send, delivery, gone } = this.#options;
    while (this.#waiting.length > 0) {
      const batch = this.#takeBatch();
      let isTaken = false;
      let thrown: unknown;
      try {
        isTaken = await send(batch, gone);
      } catch (error) {
        thrown = error;
      }
      if (isTaken) delivery.delivered += batch.length;
      else delivery.dropped += batch.length;
      if (!isTaken && !this.#isLosing) this.#options.lost(thrown);
      this.#isLosing = !isTaken;
      if (!isTaken) return;
    }
  }

  #takeBatch(): readonly T[] {
    let count = 0;
    let length = 0;
    for (const waiting of this.#waiting) {
      if (count === MOST_AT_ONCE || (count > 0 && length + waiting.length > LENGTH_AT_ONCE)) break;
      length += waiting.length;
      count++;
    }
    this.#length -= length;
    return this.#waiting.splice(0, count).map(({ item }) => item);
  }
}
