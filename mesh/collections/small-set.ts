/** A set that mostly has one item or none, and then costs as little: hundreds of thousands of these are alive. */
export class SmallSet<T extends object> implements Iterable<T> {
  #only: T | undefined;
  #more: Set<T> | undefined;

  get size(): number {
    return this.#more?.size ?? Number(this.#only !== undefined);
  }

  add(item: T): void {
    if (this.#more !== undefined) this.#more.add(item);
    else if (this.#only === undefined) this.#only = item;
    else if (this.#only !== item) {
      this.#more = new Set([this.#only, item]);
      this.#only = undefined;
    }
  }

  delete(item: T): void {
    if (this.#only === item) this.#only = undefined;
    else this.#more?.delete(item);
  }

  [Symbol.iterator](): Iterator<T> {
    return this.#more?.values() ?? (this.#only === undefined ? NONE : [this.#only]).values();
  }
}

const NONE: readonly never[] = [];
