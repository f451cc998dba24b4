import type { Floods } from "./floods.ts";
import { DEFAULT_WINDOW, MAX_WINDOW, MIN_MAX_FRAME_SIZE } from "./frame.ts";
import type { FrameWriter } from "./frame-writer.ts";
import type { Outgoing } from "./outgoing.ts";

/** What all bodies that go out share: the connection's window, and the turn when it is short (RFC 9113 §5.2). */
export class SendFlow {
  /** Those whose sender waits for room. */
  readonly stalled = new Set<Outgoing>();
  readonly #writer: FrameWriter;
  readonly #floods: Floods;
  #window = DEFAULT_WINDOW;

  constructor(writer: FrameWriter, floods: Floods) {
    this.#writer = writer;
    this.#floods = floods;
  }

  /** False: the window would be larger than there is. */
  widen(increment: number): boolean {
    this.#window += increment;
    return this.#window <= MAX_WINDOW;
  }

  /** Sends one frame with as much as goes, `most` bytes at the outside, from `bytes[from..]`; says how much. */
  send(id: number, bytes: Buffer, from: number, most: number): number {
    const count = Math.min(bytes.length - from, most, this.#window, MIN_MAX_FRAME_SIZE);
    if (count <= 0 || this.#writer.congested) return 0;
    this.#window -= count;
    this.#writer.data(id, bytes, from, count);
    this.#floods.dataSent();
    return count;
  }

  /** Lets those who wait send in turn, a frame each. */
  pump(): void {
    let moved = this.stalled.size > 0;
    while (moved) {
      moved = false;
      for (const outgoing of this.stalled) if (!this.#writer.congested && outgoing.pump()) moved = true;
    }
  }
}
