const END_OF_HEAD = Buffer.from("\r\n\r\n");
const FIRST_ROOM = 2048;

/**
 * Collects the bytes of a head over the borders of reads. The head comes as one string, a character an octet, up to and
 * with the end of its last line; the empty line is left out.
 */
export class HeadReader {
  readonly #mostBytes: number;
  #held: Buffer | undefined;
  #length = 0;
  /** Where in the last chunk the head ended. */
  next = 0;
  /** Why there will be no head: nothing that follows is believed. */
  problem: "too long" | "line end" | undefined;

  constructor(mostBytes: number) {
    this.#mostBytes = mostBytes;
  }

  /** True in the middle of a head. */
  get begun(): boolean {
    return this.#length > 0;
  }

  /** Undefined: it takes more, or there is a problem. The head is the caller's, and the reader ready for the next. */
  read(chunk: Buffer, from: number): string | undefined {
    if (this.#held !== undefined) return this.#readOn(this.#held, chunk, from);
    const end = chunk.indexOf(END_OF_HEAD, from);
    if (end < 0) return this.#hold(chunk, from);
    this.next = end + END_OF_HEAD.length;
    if (end - from > this.#mostBytes) return this.#fail("too long");
    return chunk.toString("latin1", from, end + 2);
  }

  #hold(chunk: Buffer, from: number): undefined {
    const count = chunk.length - from;
    if (count > this.#mostBytes) return this.#fail("too long");
    if (hasBareLineFeed(chunk, from, from)) return this.#fail("line end");
    const held = Buffer.allocUnsafe(Math.max(FIRST_ROOM, count));
    chunk.copy(held, 0, from);
    this.#held = held;
    this.#length = count;
    return undefined;
  }

  #readOn(held: Buffer, chunk: Buffer, from: number): string | undefined {
    const before = this.#length;
    const count = Math.min(chunk.length - from, this.#mostBytes + END_OF_HEAD.length - before);
    const room = this.#room(held, before + count);
    chunk.copy(room, before, from, from + count);
    const known = room.subarray(0, before + count);
    const end = known.indexOf(END_OF_HEAD, Math.max(0, before - END_OF_HEAD.length + 1));
    if (end >= 0) {
      this.next = from + end + END_OF_HEAD.length - before;
      const head = known.toString("latin1", 0, end + 2);
      this.#held = undefined;
      this.#length = 0;
      return head;
    }
    if (known.length > this.#mostBytes) return this.#fail("too long");
    if (hasBareLineFeed(known, 0, before)) return this.#fail("line end");
    this.#length = known.length;
    return undefined;
  }

  #fail(problem: "too long" | "line end"): undefined {
    this.problem = problem;
    return undefined;
  }

  #room(held: Buffer, needed: number): Buffer {
    if (needed <= held.length) return held;
    const larger = Buffer.allocUnsafe(Math.max(needed, held.length * 2));
    held.copy(larger, 0, 0, this.#length);
    this.#held = larger;
    return larger;
  }
}

/** A line that ends so never leads to an end of the head: better refused now than when the time is over. */
function hasBareLineFeed(bytes: Buffer, start: number, from: number): boolean {
  for (let at = bytes.indexOf(10, from); at >= 0; at = bytes.indexOf(10, at + 1)) {
    if (at === start || bytes[at - 1] !== 13) return true;
  }
  return false;
}
