import { DeltaSubscription } from "../../mesh/xds/delta-subscription.ts";
import { type EncodedResource, NO_RESOURCES, type ResourceMap } from "../../mesh/xds/encoded-resource.ts";
import { type Answer, WILDCARD } from "../../mesh/xds/subscription.ts";
import { TYPE_URL } from "../../mesh/xds/type-urls.ts";
import type { ParsedResponse } from "./parse-response.ts";

/** The first request of a type on a new upstream stream. */
export interface Announcement {
  readonly subscribe: readonly string[];
  readonly versions: Readonly<Record<string, string>>;
}

const NAMED_ONLY: ReadonlySet<string> = new Set([
  TYPE_URL.endpoints,
  TYPE_URL.extension,
  TYPE_URL.route,
  TYPE_URL.virtualHost,
  TYPE_URL.hostName,
  TYPE_URL.secret,
]);

/** More unanswered responses of one type than any sound server sends. */
const MOST_UNANSWERED = 64;

/**
 * One type of one data plane's stream: what the server (or the cache) offers, what the data plane has acknowledged, and
 * which of the server's nonces wait for its answer. Pure state.
 */
export class RelayLane {
  readonly typeUrl: string;
  readonly subscription: DeltaSubscription;
  /** The server has spoken about this type on this stream: no need to wait before the cache is used. */
  answered = false;
  /** The server's current stream knows of this subscription. */
  announced = false;
  #offered: ResourceMap | undefined;
  #good: ResourceMap;
  #isStored: boolean;
  /** The server's nonces that the next push to the data plane will answer, and those that the last one will. */
  #received: string[] = [];
  #inFlight: string[] = [];

  constructor(typeUrl: string, lastGood: ResourceMap | undefined) {
    this.typeUrl = typeUrl;
    this.subscription = new DeltaSubscription({
      legacyWildcard: !NAMED_ONLY.has(typeUrl),
      absence: "unknown",
    });
    this.#offered = lastGood;
    this.#good = lastGood ?? NO_RESOURCES;
    this.#isStored = lastGood !== undefined;
  }

  /** What the data plane should have; undefined while nobody has said anything. */
  get offered(): ResourceMap | undefined {
    return this.#offered;
  }

  /** What it has acknowledged. */
  get good(): ResourceMap {
    return this.#good;
  }

  /** Takes a response of the server in. False when it goes on sending without waiting for answers. */
  receive(nonce: string, response: ParsedResponse): boolean {
    const covered = response.upserts.filter(({ name }) => this.subscription.covers(name));
    this.#offered = (this.#offered ?? NO_RESOURCES).edited([
      ...covered.map((resource) => [resource.name, resource] as const),
      ...response.removals.map((name) => [name, undefined] as const),
    ]);
    // All that it sends goes on, even in a version that is known: the data plane may wait for it (warming).
    this.subscription.refresh([...response.upserts.map((resource) => resource.name), ...response.removals]);
    this.answered = true;
    this.#received.push(nonce);
    return this.#received.length <= MOST_UNANSWERED;
  }

  /** A push with everything received so far is on its way to the data plane. */
  pushed(): void {
    this.#inFlight = [...this.#inFlight, ...this.#received];
    this.#received = [];
  }

  /** The server's nonces that need no push: the data plane has it all. */
  takeUnneeded(): readonly string[] {
    const nonces = this.#received;
    this.#received = [];
    return nonces;
  }

  /** The server's nonces that the data plane's answer is for. */
  takeAnswered(): readonly string[] {
    const nonces = this.#inFlight;
    this.#inFlight = [];
    return nonces;
  }

  /** Keeps what the data plane took. True when that changed what is to be stored. */
  commit(answer: Extract<Answer, { kind: "ack" | "nack" }>): boolean {
    const refused = new Set(answer.kind === "nack" ? answer.rejected : []);
    // An empty set that was acknowledged is worth storing too: it is an answer.
    let changed = answer.kind === "ack" && !this.#isStored;
    this.#isStored ||= changed;
    const edits: [string, EncodedResource | undefined][] = [];
    for (const resource of answer.sent.upserts) {
      const { name, version } = resource;
      // It took this before and does not now (an update of the data plane): no longer good.
      if (refused.has(name) && this.#good.get(name)?.version === version) edits.push([name, undefined]);
      else if (!refused.has(name) && this.subscription.covers(name)) edits.push([name, resource]);
    }
    for (const name of answer.sent.removals) if (!refused.has(name)) edits.push([name, undefined]);
    const good = this.#good.edited(edits);
    changed ||= good !== this.#good;
    this.#good = good;
    return changed;
  }

  /** The data plane wants these no more. True when that changed what is to be stored. */
  forget(names: readonly string[]): boolean {
    const gone = names.filter((name) => !this.subscription.covers(name));
    this.#offered = without(this.#offered, gone);
    const before = this.#good.size;
    this.#good = without(this.#good, gone) ?? this.#good;
    return this.#good.size < before;
  }

  /** Drops what the data plane has not asked for in all this time. */
  prune(): boolean {
    return this.forget([...this.#good.keys()]);
  }

  /** Asked for while the server is there: its answer is awaited instead of the cache's. */
  awaitAnswer(names: readonly string[]): void {
    this.#offered = without(this.#offered, names);
  }

  /** The upstream stream is over: its nonces are void, and the cache stands in for what it did not answer. */
  lost(): void {
    this.announced = false;
    this.#received = [];
    this.#inFlight = [];
    const missing = [...this.#good.values()].filter(({ name }) => !this.#offered?.has(name));
    if (this.#offered === undefined || missing.length === 0) return;
    this.#offered = this.#offered.edited(missing.map((resource) => [resource.name, resource]));
  }

  /**
   * What to tell a server that knows nothing: the subscription and the versions that the data plane surely has. An empty
   * version says that it has some version of it, so that the server sends the resource, or says that it is gone.
   */
  announcement(): Announcement | undefined {
    const { subscription } = this;
    const { wildcard, names } = subscription;
    if (!wildcard && names.size === 0) return undefined;
    const isLegacy = wildcard && names.size === 0 && !NAMED_ONLY.has(this.typeUrl);
    const subscribe = isLegacy ? [] : [...(wildcard ? [WILDCARD] : []), ...names];
    const versions: Record<string, string> = {};
    for (const name of new Set([...this.#good.keys(), ...subscription.knownNames()])) {
      if (!subscription.covers(name)) continue;
      const good = this.#good.get(name);
      const isSure = good !== undefined && this.#offered?.get(name)?.version === good.version;
      versions[name] = isSure ? good.version : "";
    }
    return { subscribe, versions };
  }
}

function without(resources: ResourceMap | undefined, names: readonly string[]): ResourceMap | undefined {
  return resources?.edited(names.map((name) => [name, undefined]));
}
