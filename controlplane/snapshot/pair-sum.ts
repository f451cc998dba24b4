/** Σ left(key) × right(key) over all keys, kept up to date as either side grows or shrinks: each step costs one key. */
export class PairSum {
  readonly #left = new Map<string, number>();
  readonly #right = new Map<string, number>();
  #total = 0;

  get total(): number {
    return this.#total;
  }

  addLeft(key: string, count: number): void {
    this.#total += count * (this.#right.get(key) ?? 0);
    bump(this.#left, key, count);
  }

  addRight(key: string, count: number): void {
    this.#total += count * (this.#left.get(key) ?? 0);
    bump(this.#right, key, count);
  }
}

function bump(counts: Map<string, number>, key: string, by: number): void {
  const count = (counts.get(key) ?? 0) + by;
  if (count === 0) counts.delete(key);
  else counts.set(key, count);
}
