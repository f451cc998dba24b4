/** Names, and by how many each is used. */
export class NameCounts {
  readonly #counts = new Map<string, number>();
  #names: ReadonlySet<string> | undefined;

  add(name: string): void {
    const count = this.#counts.get(name) ?? 0;
    this.#counts.set(name, count + 1);
    if (count === 0) this.#names = undefined;
  }

  remove(name: string): void {
    const count = this.#counts.get(name) ?? 0;
    if (count > 1) this.#counts.set(name, count - 1);
    else if (this.#counts.delete(name)) this.#names = undefined;
  }

  /** Those that somebody uses. The same set as long as it does not change. */
  names(): ReadonlySet<string> {
    this.#names ??= new Set(this.#counts.keys());
    return this.#names;
  }
}
