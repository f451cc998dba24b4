import type { EncodedResource, ResourceMap } from "../../mesh/xds/encoded-resource.ts";
import { KnownResources } from "../../mesh/xds/known-resources.ts";
import { byName } from "../../mesh/xds/resource-diff.ts";
import {
  type Answer,
  type Change,
  MOST_NAMES,
  recordAnswer,
  type SentChange,
  type Subscription,
  tooManyNames,
  WILDCARD,
  withNonce,
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

/** What `change` found last. It holds until a request, a refresh or a response. */
interface Told {
  readonly resources: ResourceMap;
  readonly removals: "now" | "later";
  readonly change: Change | undefined;
}

/**
 * A client's state-of-the-world subscription to one type on one stream (xDS protocol, "SotW"). Pure state, as
 * `DeltaSubscription` is; a change's `upserts` are all that the response carries.
 */
export class SotwSubscription implements Subscription {
  readonly #options: SotwOptions;
  #started = false;
  #everNamed = false;
  readonly #known = new KnownResources();
  readonly #wanted = new Set<string>();
  readonly #rejected = new Map<string, string>();
  #owesAnswer = false;
  #outstanding: SentChange | undefined;
  #lastNonce = "";
  #told: Told | undefined;
  #settled: ResourceMap | undefined;

  constructor(options: SotwOptions) {
    this.#options = options;
  }

  get wildcard(): boolean {
    return this.#known.wildcard;
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
    return this.#known.covers(name);
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
    this.#setNames(request.resourceNames);
    return first || responseNonce === "" ? { kind: "none" } : this.#answer(request);
  }

  refresh(names: Iterable<string> | "known"): void {
    for (const name of names === "known" ? this.#known.keys() : names)
      if (this.covers(name)) this.#wanted.add(name);
    this.#unsettle();
  }

  change(resources: ResourceMap, removals: "now" | "later"): Change | undefined {
    if (resources === this.#settled) return undefined;
    if (this.#told?.resources !== resources || this.#told.removals !== removals) {
      this.#told = { resources, removals, change: this.#compare(resources, removals) };
    }
    return this.#told.change;
  }

  sent(nonce: string, change: Change): void {
    for (const resource of change.upserts) this.#known.set(resource.name, resource);
    for (const name of change.removals) this.#known.set(name, undefined);
    this.#wanted.clear();
    this.#owesAnswer = false;
    this.#outstanding = withNonce(change, nonce);
    this.#lastNonce = nonce;
    this.#unsettle();
  }

  #unsettle(): void {
    this.#settled = undefined;
    this.#told = undefined;
  }

  #compare(resources: ResourceMap, removals: "now" | "later"): Change | undefined {
    this.#known.rebase(resources);
    const changed: EncodedResource[] = [];
    const gone: EncodedResource[] = [];
    for (const name of new Set([...this.#known.different, ...this.#wanted])) {
      const resource = resources.get(name);
      const known = this.#known.get(name);
      if (resource !== undefined) changed.push(resource);
      else if (known !== undefined) gone.push(known);
    }
    if (!this.#options.wholeState) {
      const upserts = changed.sort(byName);
      if (changed.length > 0) return { upserts, removals: [], heldBack: false, whole: undefined };
    } else {
      const kept = removals === "later" ? gone : [];
      const told = removals === "later" ? [] : gone;
      const heldBack = kept.length > 0;
      if (changed.length > 0 || told.length > 0 || this.#owesAnswer) {
        const upserts = heldBack
          ? [...this.#covered(resources), ...kept].sort(byName)
          : this.#covered(resources);
        const removed = told.map(({ name }) => name).sort();
        return { upserts, removals: removed, heldBack, whole: undefined };
      }
      if (heldBack) return undefined;
    }
    this.#settled = resources;
    return undefined;
  }

  /** Sorted by name. */
  #covered(resources: ResourceMap): readonly EncodedResource[] {
    if (this.wildcard) return allOf(resources);
    return [...this.#known.names].flatMap((name) => resources.get(name) ?? []).sort(byName);
  }

  #setNames(list: readonly string[]): void {
    const before = this.#known.names;
    const explicit = new Set(list);
    const explicitWildcard = explicit.delete(WILDCARD);
    this.#everNamed ||= list.length > 0;
    const wildcard = explicitWildcard || (this.#options.wholeState && !this.#everNamed);
    const added = [...explicit].filter((name) => !before.has(name));
    const removed = [...before].filter((name) => !explicit.has(name));
    if (wildcard !== this.wildcard || added.length > 0 || removed.length > 0) this.#unsettle();
    // What is asked for anew is answered, even if nothing else changed.
    if (wildcard && !this.wildcard) this.#owesAnswer = true;
    if (added.length > 0 && this.#options.wholeState) this.#owesAnswer = true;
    this.#known.subscribe(added);
    this.#known.setWildcard(wildcard);
    this.#known.unsubscribe(removed);
    for (const name of added) this.#wanted.add(name);
    for (const name of this.#wanted) if (!this.covers(name)) this.#wanted.delete(name);
    for (const name of this.#rejected.keys()) if (!this.covers(name)) this.#rejected.delete(name);
  }

  #answer(request: SotwRequest): Answer {
    const sent = this.#outstanding;
    // The same nonce again: the client changed its names after it had answered.
    if (sent === undefined) return { kind: "none" };
    this.#outstanding = undefined;
    return recordAnswer(sent, request.errorDetail?.message, this.#rejected, (name) => this.covers(name));
  }
}

/** Each whole state is sorted once for all clients that are sent it. */
const sorted = new WeakMap<ResourceMap, readonly EncodedResource[]>();

function allOf(resources: ResourceMap): readonly EncodedResource[] {
  let all = sorted.get(resources);
  if (all === undefined) {
    all = [...resources.values()].sort(byName);
    sorted.set(resources, all);
  }
  return all;
}
