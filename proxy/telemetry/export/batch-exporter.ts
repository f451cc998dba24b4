/** What waits for a collector that is slow. What comes beyond is dropped and counted. */
const MOST_WAITING = 10_000;
const MOST_AT_ONCE = 512;

/** Hands things over in batches, one at a time. What is not taken is dropped: telemetry never waits for its receivers. */
export class BatchExporter<T> {
  readonly #send: (items: readonly T[], signal: AbortSignal) => Promise<boolean>;
  #waiting: T[] = [];
  #sending: Promise<void> | undefined;
  exported = 0;
  dropped = 0;

  /** `send` tells whether the batch was taken, and never rejects. */
  constructor(send: (items: readonly T[], signal: AbortSignal) => Promise<boolean>) {
    this.#send = send;
  }

  add(item: T): void {
    if (this.#waiting.length >= MOST_WAITING) this.dropped++;
    else this.#waiting.push(item);
  }

  /** Sends what waits, unless a sending is under way; resolves when that is over. */
  async flush(signal: AbortSignal): Promise<void> {
    this.#sending ??= this.#sendAll(signal).finally(() => (this.#sending = undefined));
    await this.#sending;
  }

  async #sendAll(signal: AbortSignal): Promise<void> {
    while (this.#waiting.length > 0) {
      const batch = this.#waiting.splice(0, MOST_AT_ONCE);
      if (await this.#send(batch, signal)) this.exported += batch.length;
      else {
        this.dropped += batch.length;
        return;
      }
    }
  }
}
