/** Smallest piece of memory: many small chunks share one, so that what is kept costs no more than its bytes. */
const PIECE = 4096;

/** Bytes that wait, copied when they come. */
export class ByteQueue {
  readonly #pieces: Buffer[] = [];
  /** Where the first piece begins, and where the last one ends. */
  #from = 0;
  #to = 0;

  get empty(): boolean {
    return this.#pieces.length === 0;
  }

  push(bytes: Buffer): void {
    const last = this.#pieces.at(-1);
    if (last !== undefined && last.length - this.#to >= bytes.length) {
      this.#to += bytes.copy(last, this.#to);
      return;
    }
    if (last !== undefined) this.#pieces[this.#pieces.length - 1] = last.subarray(0, this.#to);
    const piece = Buffer.allocUnsafe(Math.max(bytes.length, PIECE));
    this.#to = bytes.copy(piece);
    this.#pieces.push(piece);
  }

  /** The bytes at the front that lie together; none when empty. */
  front(): Buffer {
    const first = this.#pieces[0] ?? Buffer.alloc(0);
    return first.subarray(this.#from, this.#pieces.length === 1 ? this.#to : first.length);
  }

  /** Takes bytes off the front, at most as many as `front` has. */
  drop(count: number): void {
    this.#from += count;
    const first = this.#pieces[0];
    if (first === undefined || this.#from < (this.#pieces.length === 1 ? this.#to : first.length)) return;
    this.#pieces.shift();
    this.#from = 0;
    if (this.#pieces.length === 0) this.#to = 0;
  }
}
