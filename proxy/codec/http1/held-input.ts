import type { Wire } from "../../transport/wire.ts";

/** What a connection brought before somebody wants it. It is held back meanwhile, so that this is at most a read. */
export class HeldInput {
  readonly #wire: Wire;
  #rest: Buffer | undefined;
  #holding = false;

  constructor(wire: Wire) {
    this.#wire = wire;
  }

  get holding(): boolean {
    return this.#holding;
  }

  get isEmpty(): boolean {
    return this.#rest === undefined;
  }

  /** Keeps what `input` has from `from` on, and stops the connection. */
  hold(input: Buffer, from: number): void {
    if (from < input.length) {
      const rest = input.subarray(from);
      this.#rest = this.#rest === undefined ? Buffer.from(rest) : Buffer.concat([this.#rest, rest]);
    }
    if (this.#holding) return;
    this.#holding = true;
    this.#wire.pause();
  }

  /** What was kept; the connection stays held back until `release`. */
  take(): Buffer | undefined {
    const rest = this.#rest;
    this.#rest = undefined;
    return rest;
  }

  /** Nothing is kept any more: the connection goes on. */
  release(): void {
    this.#rest = undefined;
    if (!this.#holding) return;
    this.#holding = false;
    this.#wire.resume();
  }
}
