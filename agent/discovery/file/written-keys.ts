/**
 * An object of Consul's configuration. Consul takes its keys in any case and with or without underscores: `LocalBindPort`
 * is `local_bind_port`.
 */
export class WrittenObject {
  readonly path: string;
  readonly #entries: ReadonlyMap<string, { readonly written: string; readonly value: unknown }>;
  readonly #asked = new Set<string>();

  constructor(value: object, path: string) {
    this.path = path;
    this.#entries = new Map(
      Object.entries(value).map(([written, inner]) => [canonical(written), { written, value: inner }]),
    );
  }

  /** What a key has; undefined when it is not there, or says nothing (null, an empty text, false, an empty list). */
  get(key: string): unknown {
    const at = canonical(key);
    this.#asked.add(at);
    const value = this.#entries.get(at)?.value;
    return saysNothing(value) ? undefined : value;
  }

  /** The object under a key; undefined when there is none. */
  inner(key: string): WrittenObject | undefined {
    const value = this.get(key);
    return isObject(value) ? new WrittenObject(value, this.pathOf(key)) : undefined;
  }

  pathOf(key: string): string {
    const written = this.#entries.get(canonical(key))?.written ?? key;
    return this.path === "" ? written : `${this.path}.${written}`;
  }

  /** Keys that say something and that nobody has asked for, with their paths. */
  unread(): readonly string[] {
    return [...this.#entries]
      .filter(([key, { value }]) => !this.#asked.has(key) && !saysNothing(value))
      .map(([, { written }]) => this.pathOf(written));
  }
}

export function canonical(key: string): string {
  return key.replaceAll("_", "").toLowerCase();
}

export function isObject(value: unknown): value is object {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function saysNothing(value: unknown): boolean {
  if (value === undefined || value === null || value === "" || value === false) return true;
  return Array.isArray(value) && value.length === 0;
}
