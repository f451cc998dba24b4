import { errorAt, type FieldPath, type Finding, quoted } from "../../../mesh/model/finding.ts";

export type JsonRecord = Readonly<Record<string, unknown>>;

/**
 * The fields of one object of a job, read one by one; what is wrong is added to `problems` with its path. `null` is
 * what Nomad's own tools write for a field that nobody set, and so is no value.
 *
 * Nomad matches names of fields without regard to case, and the last of two spellings wins. Who judges a job has to
 * see what Nomad sees, so a known field in another spelling is an error.
 */
export class Fields {
  readonly raw: JsonRecord;
  readonly path: FieldPath;
  readonly #problems: Finding[];

  constructor(value: unknown, path: FieldPath, known: readonly string[], problems: Finding[]) {
    this.path = path;
    this.#problems = problems;
    this.raw = isRecord(value) ? value : {};
    if (!isRecord(value)) this.#wrong(path, `must be an object, not ${quoted(value)}`);
    for (const name of Object.keys(this.raw)) {
      const exact = known.find((field) => folded(field) === folded(name));
      if (exact !== undefined && exact !== name)
        this.#wrong([...path, name], `must be written ${exact}: Nomad would take it for that field`);
    }
  }

  /** Empty when it is not set. */
  text(name: string): string {
    const value = this.#value(name, "");
    if (typeof value === "string") return value;
    this.#wrong([...this.path, name], `must be a text, not ${quoted(value)}`);
    return "";
  }

  flag(name: string): boolean {
    const value = this.#value(name, false);
    if (typeof value === "boolean") return value;
    this.#wrong([...this.path, name], `must be true or false, not ${quoted(value)}`);
    return false;
  }

  whole(name: string): number {
    const value = this.#value(name, 0);
    if (typeof value === "number" && Number.isInteger(value)) return value;
    if (isKeptNumber(value)) return Number(JSON.stringify(value));
    this.#wrong([...this.path, name], `must be a whole number, not ${quoted(value)}`);
    return 0;
  }

  /** Whether it is there and not `null`. */
  has(name: string): boolean {
    return this.#value(name, undefined) !== undefined;
  }

  texts(name: string): readonly string[] {
    return this.list(name, (value, path) => {
      if (typeof value === "string") return value;
      this.#wrong(path, `must be a text, not ${quoted(value)}`);
      return "";
    });
  }

  /** A map of texts. */
  map(name: string): Readonly<Record<string, string>> {
    const path = [...this.path, name];
    const found: Record<string, string> = {};
    for (const [key, value] of Object.entries(this.record(name))) {
      if (typeof value === "string") found[key] = value;
      else this.#wrong([...path, key], `must be a text, not ${quoted(value)}`);
    }
    return found;
  }

  /** An object that is not looked into. */
  record(name: string): JsonRecord {
    const value = this.#value(name, {});
    if (isRecord(value)) return value;
    this.#wrong([...this.path, name], `must be an object, not ${quoted(value)}`);
    return {};
  }

  list<T>(name: string, read: (value: unknown, path: FieldPath) => T): readonly T[] {
    const value = this.#value(name, []);
    if (Array.isArray(value)) return value.map((item, index) => read(item, [...this.path, name, index]));
    this.#wrong([...this.path, name], `must be a list, not ${quoted(value)}`);
    return [];
  }

  /** Reads an object below this one; undefined when it is not set. */
  child<T>(name: string, read: (value: unknown, path: FieldPath) => T): T | undefined {
    return this.has(name) ? read(this.raw[name], [...this.path, name]) : undefined;
  }

  #value(name: string, none: unknown): unknown {
    return Object.hasOwn(this.raw, name) ? (this.raw[name] ?? none) : none;
  }

  #wrong(path: FieldPath, message: string): void {
    this.#problems.push(errorAt(path, message));
  }
}

export function isRecord(value: unknown): value is JsonRecord {
  return typeof value === "object" && value !== null && !Array.isArray(value) && !isKeptNumber(value);
}

/** Go's encoding/json folds letters so, the long s and the Kelvin sign too. */
function folded(name: string): string {
  return name.toLowerCase().toUpperCase();
}

/** What `parseJson` keeps of a number beyond 2^53. */
function isKeptNumber(value: unknown): boolean {
  return (JSON as unknown as { isRawJSON: (value: unknown) => boolean }).isRawJSON(value);
}
