const REMEMBERED = 256;

/**
 * The streams that ended last, and how. Frames that the peer sent before it heard of our RST_STREAM are let pass; after
 * an end that both know of they are a mistake of the peer's (RFC 9113 §5.1, "closed").
 */
export class RecentStreams {
  /** Below zero: reset by us. */
  readonly #ids = new Int32Array(REMEMBERED);
  #next = 0;

  add(id: number, resetHere: boolean): void {
    this.#ids[this.#next] = resetHere ? -id : id;
    this.#next = (this.#next + 1) % REMEMBERED;
  }

  find(id: number): "ended" | "reset" | undefined {
    if (this.#ids.includes(-id)) return "reset";
    return this.#ids.includes(id) ? "ended" : undefined;
  }
}
