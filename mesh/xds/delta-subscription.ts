import type { EncodedResource, ResourceMap } from "./encoded-resource.ts";
import {
  type Answer,
  type Change,
  MOST_NAMES,
  recordAnswer,
  type SentChange,
  type Subscription,
  tooManyNames,
  WILDCARD,
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

/**
 * A client's delta subscription to one type on one stream (xDS protocol, "Incremental xDS"). Pure state: no time, no
 * I/O. One response at a time may be outstanding; the owner asks `outstanding` before it sends.
 */
export class DeltaSubscription implements Subscription {
  readonly #options: DeltaOptions;
  #started = false;
  #wildcard = false;
  readonly #explicit = new Set<string>();
  /** What the client has, or has been sent: name → version. */
  readonly #known = new Map<string, string>();
  /** Asked for since the last response: answered even if the version is known (the client may have dropped it). */
  readonly #wanted = new Set<string>();
  /** Told again, or told absent, whatever is known. */
  readonly #forced = new Set<string>();
  readonly #rejected = new Map<string, string>();
  /** A first wildcard subscription is answered even if there is nothing: the client waits for it. */
  #owesAnswer = false;
  #outstanding: SentChange | undefined;
  /** Resources for which nothing was left to send. */
  #settled: ResourceMap | undefined;

  constructor(options: DeltaOptions) {
    this.#options = options;
  }

  get wildcard(): boolean {
    return this.#wildcard;
  }

  /** Names that were subscribed to one by one. */
  get names(): ReadonlySet<string> {
    return this.#explicit;
  }

  get known(): ReadonlyMap<string, string> {
    return this.#known;
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
    return this.#wildcard || this.#explicit.has(name);
  }

  /** Takes a request in; throws `xds.refused` when it asks for too much. */
  request(request: DeltaRequest): Answer {
    const first = !this.#started;
    this.#started = true;
    if (first) this.#start(request);
    for (const name of request.resourceNamesUnsubscribe) this.#unsubscribe(name);
    for (const name of request.resourceNamesSubscribe) this.#subscribe(name, first);
    if (this.#explicit.size > MOST_NAMES) throw tooManyNames();
    if (first) this.#forgetUncovered();
    if (first || changesNames(request)) this.#settled = undefined;
    return this.#answer(request);
  }

  refresh(names: Iterable<string> | "known"): void {
    for (const name of names === "known" ? this.#known.keys() : names)
      if (this.covers(name)) this.#forced.add(name);
    this.#settled = undefined;
  }

  change(resources: ResourceMap, removals: "now" | "later"): Change | undefined {
    if (resources === this.#settled) return undefined;
    const upserts = this.#upserts(resources);
    const gone = this.#gone(resources);
    const told = removals === "now" ? gone : gone.filter((name) => this.#isAnswer(name));
    const heldBack = told.length < gone.length;
    if (upserts.length > 0 || told.length > 0 || this.#owesAnswer) {
      return { upserts, removals: told, heldBack };
    }
    if (heldBack) return undefined;
    this.#settled = resources;
    return undefined;
  }

  sent(nonce: string, change: Change): void {
    for (const { name, version } of change.upserts) {
      this.#known.set(name, version);
      this.#told(name);
    }
    for (const name of change.removals) {
      this.#known.delete(name);
      this.#told(name);
    }
    this.#owesAnswer = false;
    this.#outstanding = { ...change, nonce };
    this.#settled = undefined;
  }

  #start(request: DeltaRequest): void {
    const versions = Object.entries(request.initialResourceVersions);
    if (versions.length > MOST_NAMES) throw tooManyNames();
    for (const [name, version] of versions) this.#known.set(name, version);
    if (this.#options.legacyWildcard && request.resourceNamesSubscribe.length === 0) this.#subscribeToAll();
  }

  #subscribeToAll(): void {
    if (this.#wildcard) return;
    this.#wildcard = true;
    this.#owesAnswer = true;
  }

  #subscribe(name: string, first: boolean): void {
    if (name === WILDCARD) {
      this.#subscribeToAll();
      return;
    }
    this.#explicit.add(name);
    if (!first || !this.#known.has(name)) this.#wanted.add(name);
  }

  #unsubscribe(name: string): void {
    if (name === WILDCARD) {
      this.#wildcard = false;
      this.#owesAnswer = false;
      this.#forgetUncovered();
      return;
    }
    if (!this.#explicit.delete(name)) return;
    // The wildcard may have it too: the client must be told whether it keeps the resource.
    if (this.#wildcard) this.#forced.add(name);
    else this.#forgetUncovered([name]);
  }

  #forgetUncovered(names: readonly string[] = [...this.#known.keys(), ...this.#forced]): void {
    for (const name of names) {
      if (this.covers(name)) continue;
      this.#known.delete(name);
      this.#rejected.delete(name);
      this.#told(name);
    }
  }

  #told(name: string): void {
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

  #upserts(resources: ResourceMap): readonly EncodedResource[] {
    const upserts: EncodedResource[] = [];
    if (this.#wildcard) {
      for (const resource of resources.values()) if (this.#isNew(resource)) upserts.push(resource);
    } else {
      for (const name of this.#explicit) {
        const resource = resources.get(name);
        if (resource !== undefined && this.#isNew(resource)) upserts.push(resource);
      }
    }
    return upserts;
  }

  #isNew({ name, version }: EncodedResource): boolean {
    return this.#known.get(name) !== version || this.#isAnswer(name);
  }

  #isAnswer(name: string): boolean {
    return this.#wanted.has(name) || this.#forced.has(name);
  }

  #gone(resources: ResourceMap): readonly string[] {
    const absent = (name: string): boolean => !resources.has(name);
    if (this.#options.absence === "unknown") return [...this.#forced].filter(absent);
    const candidates = new Set([...this.#known.keys(), ...this.#wanted, ...this.#forced]);
    return [...candidates].filter(absent);
  }
}

function changesNames(request: DeltaRequest): boolean {
  return request.resourceNamesSubscribe.length > 0 || request.resourceNamesUnsubscribe.length > 0;
}
