/** What an entry costs beside its text (RFC 7541 §4.1). */
export const ENTRY_OVERHEAD = 32;

/**
 * Fields that the peer put in for later (RFC 7541 §2.3.2). With the setting that we announce it is empty from the
 * peer's acknowledgement on; it is there for what comes before.
 */
export class DynamicTable {
  /** Oldest first. */
  #names: string[] = [];
  #values: string[] = [];
  #size = 0;
  #capacity: number;

  constructor(capacity: number) {
    this.#capacity = capacity;
  }

  get capacity(): number {
    return this.#capacity;
  }

  get length(): number {
    return this.#names.length;
  }

  /** `index` counts from the newest, at 0. */
  name(index: number): string {
    return this.#names[this.#names.length - 1 - index] ?? "";
  }

  value(index: number): string {
    return this.#values[this.#values.length - 1 - index] ?? "";
  }

  resize(capacity: number): void {
    this.#capacity = capacity;
    this.#evict(0);
  }

  /** An entry larger than the table empties it and is not kept (§4.4). */
  insert(name: string, value: string): void {
    const size = name.length + value.length + ENTRY_OVERHEAD;
    this.#evict(size);
    if (size > this.#capacity) return;
    this.#names.push(name);
    this.#values.push(value);
    this.#size += size;
  }

  #evict(coming: number): void {
    let count = 0;
    while (this.#size > 0 && this.#size + coming > this.#capacity) {
      this.#size -= (this.#names[count]?.length ?? 0) + (this.#values[count]?.length ?? 0) + ENTRY_OVERHEAD;
      count++;
    }
    if (count === 0) return;
    this.#names.splice(0, count);
    this.#values.splice(0, count);
  }
}
