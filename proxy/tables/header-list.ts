/**
 * The headers of one message: in order, repeated ones kept, names compared in lower case and sent as they came. Built
 * from what the parser saw (never from an object with header names as keys).
 */
export class HeaderList {
  #names: string[] = [];
  /** Name as written and value, in turn: the form that node:http takes. */
  #flat: string[] = [];

  static fromRaw(raw: readonly string[]): HeaderList {
    const list = new HeaderList();
    for (let index = 0; index + 1 < raw.length; index += 2)
      list.append(raw[index] ?? "", raw[index + 1] ?? "");
    return list;
  }

  clone(): HeaderList {
    return HeaderList.fromRaw(this.#flat);
  }

  append(name: string, value: string): void {
    this.#names.push(name.toLowerCase());
    this.#flat.push(name, value);
  }

  set(name: string, value: string): void {
    this.delete(name);
    this.append(name, value);
  }

  delete(name: string): void {
    if (this.has(name)) this.keep((other) => other !== name);
  }

  has(name: string): boolean {
    return this.#names.includes(name);
  }

  /** All values, joined by commas (RFC 9110 §5.3). `name` is lower case. */
  get(name: string): string | undefined {
    let value: string | undefined;
    for (let index = this.#names.indexOf(name); index >= 0; index = this.#names.indexOf(name, index + 1)) {
      const next = this.#flat[2 * index + 1] ?? "";
      value = value === undefined ? next : `${value},${next}`;
    }
    return value;
  }

  /** Each value by itself. `name` is lower case. */
  values(name: string): readonly string[] {
    return this.#names.flatMap((other, index) => (other === name ? [this.#flat[2 * index + 1] ?? ""] : []));
  }

  count(name: string): number {
    return this.#names.filter((other) => other === name).length;
  }

  /** Drops every header for whose lower-case name the test is false. */
  keep(test: (name: string) => boolean): void {
    const names = this.#names;
    const flat = this.#flat;
    this.#names = [];
    this.#flat = [];
    for (const [index, name] of names.entries()) {
      if (test(name)) this.append(flat[2 * index] ?? "", flat[2 * index + 1] ?? "");
    }
  }

  names(): readonly string[] {
    return this.#names;
  }

  toRaw(): string[] {
    return [...this.#flat];
  }
}
