import type { EncodedResource, ResourceMap } from "./encoded-resource.ts";
import { KnownResources, type Versioned } from "./known-resources.ts";
import { NameSet } from "./name-set.ts";
import { byName, type ResourceDiff } from "./resource-diff.ts";
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
} from "./subscription.ts";

/** The part of a DeltaDiscoveryRequest that concerns one subscription. */
export interface DeltaRequest {
  readonly resourceNamesSubscribe: readonly string[];
  readonly resourceNamesUnsubscribe: readonly string[];
  readonly initialResourceVersions: Readonly<Record<string, string>>;
  readonly responseNonce: string;
  readonly errorDetail: { readonly message: string } | undefined;
}

export interface DeltaOptions {
  /** Whether a first request without names asks for everything: so it is for listeners and clusters. */
  readonly legacyWildcard: boolean;
  /** What it means that the resources lack a name: that it does not exist, or that nobody has told yet. */
  readonly absence: "removed" | "unknown";
}

/** What `change` found last. It holds until a request, a refresh or a response. */
interface Told {
  readonly resources: ResourceMap;
  readonly removals: "now" | "later";
  readonly change: Change;
  readonly isEmpty: boolean;
  /** It would be another one if removals were held back, or were not. */
  readonly depends: boolean;
  /** The same, when others are told it too. */
  readonly diff: ResourceDiff | undefined;
}

/**
 * A client's delta subscription to one type on one stream (xDS protocol, "Incremental xDS"). Pure state: no time, no
 * I/O. One response at a time may be outstanding; the owner asks `outstanding` before it sends.
 *
 * A client that has all of a map, and is to have another, lacks the difference of the two, which is worked out once for
 * all such clients; what it alone lacks is in its own `KnownResources`.
 */
export class DeltaSubscription implements Subscription {
  readonly #options: DeltaOptions;
  #started = false;
  readonly #known = new KnownResources<Versioned>();
  /** Asked for since the last response: answered even if the version is known (the client may have dropped it). */
  readonly #wanted = new Set<string>();
  /** The same of the first request, as long as it is of all its names. */
  #wantedFirst: NameSet = NameSet.empty;
  /** Told again, or told absent, whatever is known. */
  readonly #forced = new Set<string>();
  /** Asked for and being looked up: nobody can say yet that they do not exist. */
  readonly #awaited = new Set<string>();
  readonly #rejected = new Map<string, string>();
  /** A first wildcard subscription is answered even if there is nothing: the client waits for it. */
  #owesAnswer = false;
  #outstanding: SentChange | undefined;
  #told: Told | undefined;
  /** Resources for which nothing was left to send. */
  #settled: ResourceMap | undefined;

  constructor(options: DeltaOptions) {
    this.#options = options;
  }

  get wildcard(): boolean {
    return this.#known.wildcard;
  }

  /** Names that were subscribed to one by one. */
  get names(): NameSet {
    return this.#known.names;
  }

  /** Names of what the client has, or has been sent. */
  knownNames(): Iterable<string> {
    return this.#known.keys();
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
   * Takes a request in; throws `xds.refused` when it asks for too much. Of the names in `awaited` that the resources lack
   * nothing is said until they come.
   */
  request(request: DeltaRequest, awaited: readonly string[] = []): Answer {
    const first = !this.#started;
    this.#started = true;
    const versions = first ? request.initialResourceVersions : {};
    // Most requests only answer a response.
    if (first || changesNames(request)) {
      this.#unsettle();
      if (first) this.#start(request);
      else this.#spellOutWanted();
      this.#unsubscribe(request.resourceNamesUnsubscribe);
      this.#subscribe(request.resourceNamesSubscribe, versions, first);
    }
    for (const name of awaited) this.#awaited.add(name);
    // Beside a wildcard, names that were dropped wait for an answer too.
    if (Math.max(this.names.size, this.#forced.size) > MOST_NAMES) throw tooManyNames();
    for (const [name, version] of Object.entries(versions)) this.#known.set(name, { version });
    return this.#answer(request);
  }

  refresh(names: Iterable<string> | "known"): void {
    this.#unsettle();
    // All that it covers will be told anyway.
    const isToldAll = !this.wildcard && this.#wantedFirst === this.names;
    if (isToldAll && this.#options.absence === "removed") return;
    for (const name of names === "known" ? this.#known.keys() : names)
      if (this.covers(name)) this.#forced.add(name);
  }

  change(resources: ResourceMap, removals: "now" | "later"): Change | undefined {
    if (resources === this.#settled) return undefined;
    for (const name of this.#awaited) if (resources.has(name)) this.#awaited.delete(name);
    let told = this.#told;
    if (told?.resources !== resources || (told.depends && told.removals !== removals)) {
      told = this.#shared(resources, removals) ?? this.#own(resources, removals);
      this.#told = told;
    }
    if (!told.isEmpty || this.#owesAnswer) return told.change;
    if (!told.change.heldBack) this.#settled = resources;
    return undefined;
  }

  sent(nonce: string, change: Change): void {
    const told = this.#told;
    if (told?.diff !== undefined && told.diff === change) {
      this.#known.adopt(told.resources, told.diff);
      // To clear a set is to give it new memory, even where there is nothing in it.
      if (this.#wanted.size > 0) this.#wanted.clear();
      if (this.#forced.size > 0) this.#forced.clear();
      this.#wantedFirst = NameSet.empty;
    } else {
      this.#spellOutWanted();
      for (const resource of change.upserts) this.#now(resource.name, resource);
      for (const name of change.removals) this.#now(name, undefined);
    }
    this.#owesAnswer = false;
    this.#outstanding = withNonce(change, nonce);
    this.#unsettle();
  }

  #unsettle(): void {
    this.#settled = undefined;
    this.#told = undefined;
  }

  #start({ resourceNamesSubscribe, initialResourceVersions }: DeltaRequest): void {
    if (Object.keys(initialResourceVersions).length > MOST_NAMES) throw tooManyNames();
    if (this.#options.legacyWildcard && resourceNamesSubscribe.length === 0) this.#subscribeToAll();
  }

  #subscribeToAll(): void {
    if (this.wildcard) return;
    this.#known.setWildcard(true);
    this.#owesAnswer = true;
  }

  #subscribe(list: readonly string[], versions: Readonly<Record<string, string>>, first: boolean): void {
    const names = list.includes(WILDCARD) ? list.filter((name) => name !== WILDCARD) : list;
    this.#known.subscribe(names);
    if (names !== list) this.#subscribeToAll();
    if (first && Object.keys(versions).length === 0) this.#wantedFirst = this.names;
    else for (const name of names) if (!Object.hasOwn(versions, name)) this.#wanted.add(name);
  }

  #spellOutWanted(): void {
    for (const name of this.#wantedFirst) this.#wanted.add(name);
    this.#wantedFirst = NameSet.empty;
  }

  #unsubscribe(list: readonly string[]): void {
    if (list.includes(WILDCARD) && this.wildcard) {
      this.#known.setWildcard(false);
      this.#owesAnswer = false;
      this.#forget([...this.#rejected.keys(), ...this.#forced]);
    }
    const names = list.filter((name) => this.names.has(name));
    this.#known.unsubscribe(names);
    for (const name of names) this.#awaited.delete(name);
    // The wildcard may have them too: the client must be told whether it keeps the resource.
    if (this.wildcard) for (const name of names) this.#forced.add(name);
    else this.#forget(names);
  }

  #forget(names: readonly string[]): void {
    for (const name of names) {
      if (this.covers(name)) continue;
      this.#rejected.delete(name);
      this.#wanted.delete(name);
      this.#forced.delete(name);
    }
  }

  #now(name: string, known: EncodedResource | undefined): void {
    this.#known.set(name, known);
    this.#wanted.delete(name);
    this.#forced.delete(name);
  }

  #answer(request: DeltaRequest): Answer {
    if (request.responseNonce === "") return { kind: "none" };
    const sent = this.#outstanding;
    if (sent === undefined || sent.nonce !== request.responseNonce) return { kind: "stale" };
    this.#outstanding = undefined;
    return recordAnswer(sent, request.errorDetail?.message, this.#rejected, (name) => this.covers(name));
  }

  /** The change that others are told too, where that is all that there is to tell. */
  #shared(resources: ResourceMap, removals: "now" | "later"): Told | undefined {
    const diff = this.#known.sharedDiff(resources);
    if (diff === undefined) return undefined;
    if (diff.removals.length > 0 && (removals === "later" || this.#options.absence === "unknown")) {
      return undefined;
    }
    if (!this.#wantsOnly(diff)) return undefined;
    // Nothing to tell: these resources are as good a base, and the older ones need not be kept.
    if (diff.size === 0) this.#known.adopt(resources, diff);
    return {
      resources,
      removals,
      change: diff,
      isEmpty: diff.size === 0,
      depends: diff.removals.length > 0,
      diff,
    };
  }

  /** All that is to be answered is in the difference. */
  #wantsOnly(diff: ResourceDiff): boolean {
    for (const name of this.#wanted) if (!diff.has(name)) return false;
    for (const name of this.#forced) if (!diff.has(name)) return false;
    // Without the wildcard, the difference has none but these names.
    if (!this.wildcard && this.#wantedFirst.size === diff.size) return true;
    for (const name of this.#wantedFirst) if (!diff.has(name)) return false;
    return true;
  }

  #own(resources: ResourceMap, removals: "now" | "later"): Told {
    this.#spellOutWanted();
    this.#known.rebase(resources);
    const upserts: EncodedResource[] = [];
    const gone: string[] = [];
    for (const name of new Set([...this.#known.different, ...this.#wanted, ...this.#forced])) {
      const resource = resources.get(name);
      if (resource === undefined) {
        if (this.#isGone(name)) gone.push(name);
      } else if (this.#isAnswer(name) || this.#known.get(name)?.version !== resource.version) {
        upserts.push(resource);
      }
    }
    const told = removals === "now" ? gone : gone.filter((name) => this.#isAnswer(name));
    const change = {
      upserts: upserts.sort(byName),
      removals: told.sort(),
      heldBack: told.length < gone.length,
      whole: undefined,
    };
    const isEmpty = upserts.length === 0 && told.length === 0;
    return { resources, removals, change, isEmpty, depends: gone.length > 0, diff: undefined };
  }

  #isGone(name: string): boolean {
    if (this.#options.absence === "unknown") return this.#forced.has(name);
    return !this.#awaited.has(name) && (this.#isAnswer(name) || this.#known.get(name) !== undefined);
  }

  #isAnswer(name: string): boolean {
    return this.#wanted.has(name) || this.#forced.has(name);
  }
}

function changesNames(request: DeltaRequest): boolean {
  return request.resourceNamesSubscribe.length > 0 || request.resourceNamesUnsubscribe.length > 0;
}
