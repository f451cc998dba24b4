import type { EncodedResource, ResourceMap } from "../../mesh/xds/encoded-resource.ts";
import {
  type Answer,
  type Change,
  MOST_NAMES,
  recordAnswer,
  type SentChange,
  type Subscription,
  tooManyNames,
  WILDCARD,
} from "../../mesh/xds/subscription.ts";

/** The part of a DiscoveryRequest that concerns one subscription. */
export interface SotwRequest {
  readonly resourceNames: readonly string[];
  readonly responseNonce: string;
  readonly errorDetail: { readonly message: string } | undefined;
}

export interface SotwOptions {
  /**
   * Listeners and clusters: each response has all of them, what is missing is gone, and a first request without names
   * asks for everything. Of the other types, a response has what changed, and nothing is ever said to be gone.
   */
  readonly wholeState: boolean;
}

/**
 * A client's state-of-the-world subscription to one type on one stream (xDS protocol, "SotW"). Pure state, as
 * `DeltaSubscription` is; a change's `upserts` are all that the response carries.
 */
export class SotwSubscription implements Subscription {
  readonly #options: SotwOptions;
  #started = false;
  #wildcard = false;
  #everNamed = false;
  #names = new Set<string>();
  /** What the client has, or has been sent. */
  readonly #known = new Map<string, EncodedResource>();
  readonly #wanted = new Set<string>();
  readonly #rejected = new Map<string, string>();
  #owesAnswer = false;
  #outstanding: SentChange | undefined;
  #lastNonce = "";
  #settled: ResourceMap | undefined;

  constructor(options: SotwOptions) {
    this.#options = options;
  }

  get wildcard(): boolean {
    return this.#wildcard;
  }

  get outstanding(): SentChange | undefined {
    return this.#outstanding;
  }

  get rejected(): ReadonlyMap<string, string> {
    return this.#rejected;
  }

  get size(): number {
    return this.#known.size;
  }

  covers(name: string): boolean {
    return this.#wildcard || this.#names.has(name);
  }

  /**
   * Takes a request in. A stale one is ignored as a whole: the client will answer the newer response with the same
   * names. Throws `xds.refused` when it asks for too much.
   */
  request(request: SotwRequest): Answer {
    if (request.resourceNames.length > MOST_NAMES) throw tooManyNames();
    const { responseNonce } = request;
    // A client may keep the nonce of its last stream in its first request on this one.
    const first = !this.#started;
    if (!first && responseNonce !== "" && responseNonce !== this.#lastNonce) return { kind: "stale" };
    this.#started = true;
    this.#setNames(request.resourceNames, first);
    return first || responseNonce === "" ? { kind: "none" } : this.#answer(request);
  }

  refresh(names: Iterable<string> | "known"): void {
    for (const name of names === "known" ? this.#known.keys() : names)
      if (this.covers(name)) this.#wanted.add(name);
    this.#settled = undefined;
  }

  change(resources: ResourceMap, removals: "now" | "later"): Change | undefined {
    if (resources === this.#settled) return undefined;
    const covered = this.#wildcard
      ? [...resources.values()]
      : [...this.#names].flatMap((name) => resources.get(name) ?? []);
    const changed = covered.filter(
      ({ name, version }) => this.#known.get(name)?.version !== version || this.#wanted.has(name),
    );
    if (!this.#options.wholeState) {
      return changed.length > 0
        ? { upserts: changed, removals: [], heldBack: false }
        : this.#settle(resources);
    }
    const gone = [...this.#known.values()].filter(({ name }) => !resources.has(name));
    const kept = removals === "later" ? gone : [];
    const told = removals === "later" ? [] : gone;
    const heldBack = kept.length > 0;
    if (changed.length > 0 || told.length > 0 || this.#owesAnswer) {
      return { upserts: [...covered, ...kept], removals: told.map(({ name }) => name), heldBack };
    }
    return heldBack ? undefined : this.#settle(resources);
  }

  sent(nonce: string, change: Change): void {
    for (const resource of change.upserts) this.#known.set(resource.name, resource);
    for (const name of change.removals) this.#known.delete(name);
    this.#wanted.clear();
    this.#owesAnswer = false;
    this.#outstanding = { ...change, nonce };
    this.#lastNonce = nonce;
    this.#settled = undefined;
  }

  #settle(resources: ResourceMap): undefined {
    this.#settled = resources;
  }

  #setNames(list: readonly string[], first: boolean): void {
    const names = new Set(list);
    const explicitWildcard = names.delete(WILDCARD);
    this.#everNamed ||= list.length > 0;
    const wildcard = explicitWildcard || (this.#options.wholeState && !this.#everNamed);
    if (wildcard !== this.#wildcard || !sameNames(names, this.#names) || first) this.#settled = undefined;
    // What is asked for anew is answered, even if nothing else changed.
    if (wildcard && !this.#wildcard) this.#owesAnswer = true;
    for (const name of names) if (!this.#names.has(name)) this.#ask(name);
    this.#wildcard = wildcard;
    this.#names = names;
    for (const name of this.#wanted) if (!this.covers(name)) this.#wanted.delete(name);
    for (const name of this.#rejected.keys()) if (!this.covers(name)) this.#rejected.delete(name);
    for (const name of this.#known.keys()) if (!this.covers(name)) this.#known.delete(name);
  }

  #ask(name: string): void {
    this.#wanted.add(name);
    if (this.#options.wholeState) this.#owesAnswer = true;
  }

  #answer(request: SotwRequest): Answer {
    const sent = this.#outstanding;
    // The same nonce again: the client changed its names after it had answered.
    if (sent === undefined) return { kind: "none" };
    this.#outstanding = undefined;
    return recordAnswer(sent, request.errorDetail?.message, this.#rejected, (name) => this.covers(name));
  }
}

function sameNames(a: ReadonlySet<string>, b: ReadonlySet<string>): boolean {
  return a.size === b.size && a.isSubsetOf(b);
}
