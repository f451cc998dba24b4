/**
 * The headers of one message: in order, repeated ones kept, names compared in lower case and sent as they came. Built
 * from what the parser saw (never from an object with header names as keys). Fields are read by their index.
 */
export class HeaderList {
  #names: string[] = [];
  #written: string[] = [];
  #values: string[] = [];

  /** `raw`: names and values in turn. */
  static fromRaw(raw: readonly string[]): HeaderList {
    const list = new HeaderList();
    for (let index = 0; index + 1 < raw.length; index += 2)
      list.append(raw[index] ?? "", raw[index + 1] ?? "");
    return list;
  }

  get length(): number {
    return this.#names.length;
  }

  /** Lower case. */
  nameAt(index: number): string {
    return this.#names[index] ?? "";
  }

  /** As it came. */
  writtenAt(index: number): string {
    return this.#written[index] ?? "";
  }

  valueAt(index: number): string {
    return this.#values[index] ?? "";
  }

  clone(): HeaderList {
    const list = new HeaderList();
    list.#names = this.#names.slice();
    list.#written = this.#written.slice();
    list.#values = this.#values.slice();
    return list;
  }

  /** Throws for a value that would not be one field's: no line ends, nothing beyond ISO 8859-1. */
  append(name: string, value: string): void {
    assertValue(value);
    this.appendAs(isLower(name) ? name : name.toLowerCase(), name, value);
  }

  /** For who has checked name and value already, and knows the name in lower case. */
  appendAs(name: string, written: string, value: string): void {
    this.#names.push(name);
    this.#written.push(written);
    this.#values.push(value);
  }

  /** Where it is there once it stays where it is. `name` is lower case; throws like `append`. */
  set(name: string, value: string): void {
    assertValue(value);
    const index = this.#names.indexOf(name);
    if (index < 0) {
      this.appendAs(name, name, value);
      return;
    }
    if (this.#names.indexOf(name, index + 1) >= 0) {
      this.delete(name);
      this.appendAs(name, name, value);
      return;
    }
    this.#written[index] = name;
    this.#values[index] = value;
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
      const next = this.valueAt(index);
      value = value === undefined ? next : `${value},${next}`;
    }
    return value;
  }

  /** The value that came first. `name` is lower case. */
  first(name: string): string | undefined {
    const index = this.#names.indexOf(name);
    return index < 0 ? undefined : this.#values[index];
  }

  /** Each value by itself. `name` is lower case. */
  values(name: string): readonly string[] {
    return this.#values.filter((_, index) => this.#names[index] === name);
  }

  count(name: string): number {
    return this.#names.filter((other) => other === name).length;
  }

  /** Drops every header for whose lower-case name the test is false. */
  keep(test: (name: string) => boolean): void {
    let kept = 0;
    for (let index = 0; index < this.#names.length; index++) {
      const name = this.nameAt(index);
      if (!test(name)) continue;
      if (kept !== index) {
        this.#names[kept] = name;
        this.#written[kept] = this.writtenAt(index);
        this.#values[kept] = this.valueAt(index);
      }
      kept++;
    }
    this.#names.length = kept;
    this.#written.length = kept;
    this.#values.length = kept;
  }

  names(): readonly string[] {
    return this.#names;
  }

  /** Names as they came and values, in turn. */
  toRaw(): string[] {
    const raw: string[] = [];
    for (let index = 0; index < this.#names.length; index++)
      raw.push(this.writtenAt(index), this.valueAt(index));
    return raw;
  }
}

function assertValue(value: string): void {
  for (let index = 0; index < value.length; index++) {
    const code = value.charCodeAt(index);
    if ((code < 32 && code !== 9) || code === 127 || code > 255)
      throw new Error("the value of a header has characters that none can have");
  }
}

function isLower(name: string): boolean {
  for (let index = 0; index < name.length; index++) {
    const code = name.charCodeAt(index);
    // Beyond ASCII is nothing that a name has; if it does, the engine knows better.
    if ((code >= 65 && code <= 90) || code > 127) return false;
  }
  return true;
}
