/** What the peer may still send, and what it is owed for what has been taken (RFC 9113 §5.2). */
export class ReceiveWindow {
  readonly #size: number;
  #open: number;
  #owed = 0;

  constructor(size: number) {
    this.#size = size;
    this.#open = size;
  }

  /** False: the peer sent more than it was allowed. */
  take(bytes: number): boolean {
    this.#open -= bytes;
    return this.#open >= 0;
  }

  owe(bytes: number): void {
    this.#owed += bytes;
  }

  /** The increment to announce now: nothing until half the window is owed, so that updates stay few. */
  due(): number {
    if (this.#owed * 2 < this.#size) return 0;
    const increment = this.#owed;
    this.#owed = 0;
    this.#open += increment;
    return increment;
  }
}
