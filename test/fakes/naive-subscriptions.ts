import type { DeltaOptions, DeltaRequest } from "../../mesh/xds/delta-subscription.ts";

/** What a response would say: `name@version`, and the names that are gone; sorted. */
export interface Told {
  readonly upserts: readonly string[];
  readonly removals: readonly string[];
  readonly heldBack: boolean;
}

/** Name → version. */
export type Versions = ReadonlyMap<string, string>;

/** The rules of a delta subscription, said plainly: everything is kept per client and compared each time. */
export class NaiveDelta {
  readonly #options: DeltaOptions;
  #started = false;
  wildcard = false;
  readonly names = new Set<string>();
  readonly known = new Map<string, string>();
  readonly #wanted = new Set<string>();
  readonly #forced = new Set<string>();
  #owesAnswer = false;

  constructor(options: DeltaOptions) {
    this.#options = options;
  }

  covers(name: string): boolean {
    return this.wildcard || this.names.has(name);
  }

  request({
    resourceNamesSubscribe,
    resourceNamesUnsubscribe,
    initialResourceVersions,
  }: Omit<DeltaRequest, "responseNonce" | "errorDetail">): void {
    const first = !this.#started;
    this.#started = true;
    if (first) for (const entry of Object.entries(initialResourceVersions)) this.known.set(...entry);
    if (first && this.#options.legacyWildcard && resourceNamesSubscribe.length === 0) this.#all();
    for (const name of resourceNamesUnsubscribe) this.#unsubscribe(name);
    for (const name of resourceNamesSubscribe) {
      if (name === "*") this.#all();
      else {
        this.names.add(name);
        if (!first || !this.known.has(name)) this.#wanted.add(name);
      }
    }
    this.#forget();
  }

  refresh(names: Iterable<string>): void {
    for (const name of names) if (this.covers(name)) this.#forced.add(name);
  }

  change(resources: Versions, removals: "now" | "later"): Told | undefined {
    const isAnswer = (name: string): boolean => this.#wanted.has(name) || this.#forced.has(name);
    const upserts = [...resources].filter(
      ([name, version]) => this.covers(name) && (this.known.get(name) !== version || isAnswer(name)),
    );
    const candidates =
      this.#options.absence === "unknown"
        ? this.#forced
        : new Set([...this.known.keys(), ...this.#wanted, ...this.#forced]);
    const gone = [...candidates].filter((name) => !resources.has(name));
    const told = removals === "now" ? gone : gone.filter(isAnswer);
    if (upserts.length === 0 && told.length === 0 && !this.#owesAnswer) return undefined;
    return {
      upserts: upserts.map(([name, version]) => `${name}@${version}`).sort(),
      removals: told.sort(),
      heldBack: told.length < gone.length,
    };
  }

  sent({ upserts, removals }: Told): void {
    for (const text of upserts) {
      const [name = "", version = ""] = text.split("@");
      this.known.set(name, version);
      this.#told(name);
    }
    for (const name of removals) {
      this.known.delete(name);
      this.#told(name);
    }
    this.#owesAnswer = false;
  }

  #all(): void {
    if (!this.wildcard) this.#owesAnswer = true;
    this.wildcard = true;
  }

  #unsubscribe(name: string): void {
    if (name === "*") {
      if (!this.wildcard) return;
      this.wildcard = false;
      this.#owesAnswer = false;
      this.#forget();
    } else if (this.names.delete(name)) {
      if (this.wildcard) this.#forced.add(name);
      else this.#forget();
    }
  }

  #forget(): void {
    for (const name of [...this.known.keys(), ...this.#wanted, ...this.#forced]) {
      if (this.covers(name)) continue;
      this.known.delete(name);
      this.#told(name);
    }
  }

  #told(name: string): void {
    this.#wanted.delete(name);
    this.#forced.delete(name);
  }
}

/** The rules of a state-of-the-world subscription, said plainly. */
export class NaiveSotw {
  readonly #wholeState: boolean;
  #everNamed = false;
  wildcard = false;
  names: ReadonlySet<string> = new Set();
  readonly known = new Map<string, string>();
  readonly #wanted = new Set<string>();
  #owesAnswer = false;

  constructor(wholeState: boolean) {
    this.#wholeState = wholeState;
  }

  covers(name: string): boolean {
    return this.wildcard || this.names.has(name);
  }

  /** The names of a request that is not stale. */
  request(list: readonly string[]): void {
    const names = new Set(list);
    const explicit = names.delete("*");
    this.#everNamed ||= list.length > 0;
    const wildcard = explicit || (this.#wholeState && !this.#everNamed);
    const added = [...names].filter((name) => !this.names.has(name));
    if (wildcard && !this.wildcard) this.#owesAnswer = true;
    if (added.length > 0 && this.#wholeState) this.#owesAnswer = true;
    for (const name of added) this.#wanted.add(name);
    this.wildcard = wildcard;
    this.names = names;
    for (const name of [...this.known.keys(), ...this.#wanted]) {
      if (this.covers(name)) continue;
      this.known.delete(name);
      this.#wanted.delete(name);
    }
  }

  refresh(names: Iterable<string>): void {
    for (const name of names) if (this.covers(name)) this.#wanted.add(name);
  }

  change(resources: Versions, removals: "now" | "later"): Told | undefined {
    const covered = [...resources].filter(([name]) => this.covers(name));
    const changed = covered.filter(
      ([name, version]) => this.known.get(name) !== version || this.#wanted.has(name),
    );
    const gone = [...this.known].filter(([name]) => !resources.has(name));
    const text = (list: readonly (readonly [string, string])[]): readonly string[] =>
      list.map(([name, version]) => `${name}@${version}`).sort();
    if (!this.#wholeState) {
      if (changed.length === 0) return undefined;
      return { upserts: text(changed), removals: [], heldBack: false };
    }
    const kept = removals === "later" ? gone : [];
    const told = removals === "later" ? [] : gone;
    if (changed.length === 0 && told.length === 0 && !this.#owesAnswer) return undefined;
    return {
      upserts: text([...covered, ...kept]),
      removals: told.map(([name]) => name).sort(),
      heldBack: kept.length > 0,
    };
  }

  sent({ upserts, removals }: Told): void {
    for (const text of upserts) {
      const [name = "", version = ""] = text.split("@");
      this.known.set(name, version);
    }
    for (const name of removals) this.known.delete(name);
    this.#wanted.clear();
    this.#owesAnswer = false;
  }
}
