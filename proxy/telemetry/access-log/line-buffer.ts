import type { Delivery } from "../export/deliveries.ts";
import type { Outlet } from "../export/outlets.ts";

/** Lines that wait for whoever is slow, in characters. What comes beyond is dropped and counted. */
const MOST_HELD = 4 * 1024 * 1024;
/** So much is written at once, without waiting for the clock. */
const WORTH_WRITING = 64 * 1024;

export interface LineBufferOptions {
  /** Writes lines; resolves when they are taken, rejects when they are lost. */
  readonly write: (lines: string) => Promise<void>;
  /** Somebody may be looking: lines are written as they come, and not for the clock. */
  readonly prompt: boolean;
  readonly delivery: Delivery;
  /** Called when something waits. */
  readonly waits: () => void;
  /** Called when lines begin to be lost, with the reason. */
  readonly lost: (error: unknown) => void;
  /** Called when everything is written and nothing more is expected. */
  readonly letGo?: () => Promise<void>;
}

/** Lines on their way to a file or a stream, written in batches, one at a time. */
export class LineBuffer implements Outlet {
  readonly #options: LineBufferOptions;
  #waiting: string[] = [];
  /** Characters that wait. */
  #length = 0;
  /** Characters that are being written. */
  #underWay = 0;
  #writing: Promise<void> | undefined;
  #isLosing = false;

  constructor(options: LineBufferOptions) {
    this.#options = options;
  }

  get idle(): boolean {
    return this.#waiting.length === 0 && this.#writing === undefined;
  }

  write(line: string): void {
    const { delivery, waits, prompt } = this.#options;
    if (this.#underWay + this.#length + line.length > MOST_HELD) {
      delivery.dropped++;
      return;
    }
    this.#length += line.length;
    if (this.#waiting.push(line) === 1) {
      waits();
      if (prompt) setImmediate(() => this.begin());
    }
    if (this.#length >= WORTH_WRITING) this.begin();
  }

  begin(): void {
    if (this.#waiting.length === 0 || this.#writing !== undefined) return;
    this.#writing = this.#writeAll().finally(() => (this.#writing = undefined));
  }

  /** Resolves when all that waited at the call is written or lost. Never rejects. */
  async flush(): Promise<void> {
    await this.#writing;
    this.begin();
    await this.#writing;
  }

  async close(): Promise<void> {
    await this.flush();
    await this.#options.letGo?.();
  }

  async #writeAll(): Promise<void> {
    const { write, prompt, delivery, lost } = this.#options;
    const worthWriting = prompt ? 1 : WORTH_WRITING;
    do {
      const lines = this.#waiting;
      this.#waiting = [];
      this.#underWay = this.#length;
      this.#length = 0;
      try {
        await write(lines.join(""));
        delivery.delivered += lines.length;
        this.#isLosing = false;
      } catch (error) {
        delivery.dropped += lines.length;
        if (!this.#isLosing) lost(error);
        this.#isLosing = true;
      }
      this.#underWay = 0;
    } while (this.#length >= worthWriting && !this.#isLosing);
  }
}
