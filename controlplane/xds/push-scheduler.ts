import { NO_RESOURCES } from "../../mesh/xds/encoded-resource.ts";
import type { Change, Subscription } from "../../mesh/xds/subscription.ts";
import { PUSH_ORDER, TYPE_URL, type TypeUrl } from "../../mesh/xds/type-urls.ts";
import type { NodeResources, ResourceMap } from "./config-source.ts";

/** A response that may go out now. */
export interface Push {
  readonly typeUrl: TypeUrl;
  readonly change: Change;
  readonly nonce: string;
}

/** What refers to clusters, endpoints and secrets: these are removed only when nothing old refers to them any more. */
const REFERRERS: readonly TypeUrl[] = [TYPE_URL.listener, TYPE_URL.route, TYPE_URL.virtualHost];

/** Only when those are quiet may the last references to a removed resource be gone. */
const REMOVED_LAST: readonly TypeUrl[] = [
  TYPE_URL.cluster,
  TYPE_URL.endpoints,
  TYPE_URL.extension,
  TYPE_URL.secret,
];

/** What is taken into use once its endpoints or routes are there. */
const WARMED: readonly TypeUrl[] = [TYPE_URL.cluster, TYPE_URL.listener];

const NONE: readonly never[] = [];

/**
 * Decides what one stream is sent, and when (xDS protocol, "eventual consistency considerations"). Pure state.
 *
 * - Order: secret, cluster, endpoints, listener, route. A type whose newer state waits for an answer holds back those after it.
 *   Listeners and routes also wait until the client has taken clusters that were just sent, with their endpoints: Envoy
 *   answers 503 for a cluster that still warms.
 * - At most one response per type is unanswered. What is sent then is the state at that time, not those in between.
 * - Clusters and endpoints are removed last: after all else was sent and listeners and routes were taken. While a
 *   listener or a route is refused, the client still uses its old one, so what that one may refer to stays.
 * - Warming: endpoints follow each sent cluster, routes each sent listener, even unchanged; without them the client
 *   would keep the new one waiting.
 */
export class PushScheduler<S extends Subscription> {
  readonly #create: (typeUrl: TypeUrl) => S;
  /** In push order. */
  #lanes: readonly Lane<S>[] = [];
  /** Warming for a type that the client has not asked for yet on this stream. */
  readonly #early = new Map<TypeUrl, readonly Names[] | "known">();
  /** Clusters that were sent and whose endpoints may not have been taken. */
  #fresh: readonly Names[] = NONE;
  #nonces = 0;

  constructor(create: (typeUrl: TypeUrl) => S) {
    this.#create = create;
  }

  /** What the client has asked for, in push order. */
  get typeUrls(): readonly TypeUrl[] {
    return this.#lanes.map(({ typeUrl }) => typeUrl);
  }

  get(typeUrl: TypeUrl): S | undefined {
    for (const lane of this.#lanes) if (lane.typeUrl === typeUrl) return lane.subscription;
    return undefined;
  }

  /** Gives a request to its type's subscription, which its first request makes. */
  request<T>(typeUrl: TypeUrl, take: (subscription: S) => T): T {
    const existing = this.get(typeUrl);
    if (existing !== undefined) return take(existing);
    const subscription = this.#create(typeUrl);
    this.#lanes = [...this.#lanes, toLane(typeUrl, subscription)].sort((a, b) => a.order - b.order);
    const answer = take(subscription);
    const early = this.#early.get(typeUrl) ?? NONE;
    if (early === "known") subscription.refresh("known");
    else for (const names of early) subscription.refresh(names.keys());
    this.#early.delete(typeUrl);
    return answer;
  }

  /** The next response that may go out, already recorded as sent; undefined when there is none now. */
  next(resources: NodeResources): Push | undefined {
    let held = false;
    for (const { typeUrl, subscription, isReferrer, isRemovedLast } of this.#lanes) {
      if (isReferrer && (held || this.#isWarming())) return undefined;
      const change = subscription.change(of(resources, typeUrl), isRemovedLast ? "later" : "now");
      if (change === undefined) continue;
      if (subscription.outstanding === undefined) return this.#push(typeUrl, subscription, change);
      held = true;
      // Envoy answers clusters only when those that warm have their endpoints: holding these back would wait for ever.
      if (typeUrl !== TYPE_URL.cluster) return undefined;
    }
    if (held || this.#isWarming() || !this.#referrersAreQuiet()) return undefined;
    return this.#removal(resources);
  }

  /** Whether the client has all of this type, and said so. */
  isSettled(typeUrl: TypeUrl, resources: NodeResources): boolean {
    const subscription = this.get(typeUrl);
    if (subscription === undefined) return true;
    if (subscription.outstanding !== undefined || subscription.rejected.size > 0) return false;
    return subscription.change(of(resources, typeUrl), "now") === undefined;
  }

  /** Whether something of this type waits to be sent. */
  isPending(typeUrl: TypeUrl, resources: NodeResources): boolean {
    return this.get(typeUrl)?.change(of(resources, typeUrl), "now") !== undefined;
  }

  /**
   * The same as `next`, for a client to which nothing else is to be sent and that has answered everything; undefined also
   * when it is for `next` to decide.
   */
  alone(typeUrl: TypeUrl, resources: NodeResources): Push | undefined {
    const lane = this.#lanes.find((one) => one.typeUrl === typeUrl);
    if (lane === undefined || WARMED.includes(typeUrl)) return undefined;
    const change = lane.subscription.change(of(resources, typeUrl), lane.isRemovedLast ? "later" : "now");
    return change === undefined ? undefined : this.#push(typeUrl, lane.subscription, change);
  }

  /** Types of which something waits to be sent. `settled`: resources of which the client has everything. */
  pending(resources: NodeResources, settled: NodeResources | undefined): readonly TypeUrl[] {
    if (resources.types === settled?.types) return NONE;
    let pending: readonly TypeUrl[] = NONE;
    for (const { typeUrl, subscription } of this.#lanes) {
      const map = of(resources, typeUrl);
      if (settled !== undefined && of(settled, typeUrl) === map) continue;
      if (subscription.change(map, "now") === undefined) continue;
      pending = pending === NONE ? [typeUrl] : [...pending, typeUrl];
    }
    return pending;
  }

  /** Clients ask for a new cluster's endpoints before they answer the cluster (Envoy does), so nothing is missed here. */
  #isWarming(): boolean {
    if (this.#fresh.length === 0) return false;
    const clusters = this.get(TYPE_URL.cluster)?.outstanding;
    if (clusters !== undefined && namesOf(clusters).size > 0) return true;
    const assignments = this.get(TYPE_URL.endpoints)?.outstanding;
    for (const name of assignments === undefined ? NONE : namesOf(assignments).keys()) {
      if (this.#fresh.some((names) => names.has(name))) return true;
    }
    this.#fresh = NONE;
    return false;
  }

  #referrersAreQuiet(): boolean {
    return this.#lanes.every(
      ({ subscription, isReferrer }) =>
        !isReferrer || (subscription.outstanding === undefined && subscription.rejected.size === 0),
    );
  }

  #removal(resources: NodeResources): Push | undefined {
    for (const { typeUrl, subscription, isRemovedLast } of this.#lanes) {
      if (!isRemovedLast) continue;
      // A removed cluster ends its subscription to endpoints by itself: wait for that instead of saying it twice.
      if (subscription.outstanding !== undefined) return undefined;
      const change = subscription.change(of(resources, typeUrl), "now");
      if (change !== undefined) return this.#push(typeUrl, subscription, change);
    }
    return undefined;
  }

  #push(typeUrl: TypeUrl, subscription: S, change: Change): Push {
    this.#nonces += 1;
    const nonce = String(this.#nonces);
    subscription.sent(nonce, change);
    if (WARMED.includes(typeUrl)) {
      const names = namesOf(change);
      if (typeUrl === TYPE_URL.cluster && names.size > 0) this.#fresh = joined(this.#fresh, names);
      if (names.size > 0) this.#warm(typeUrl, names);
    }
    return { typeUrl, change, nonce };
  }

  /** An EDS cluster's assignment has the cluster's name; which routes a listener refers to is not known here. */
  #warm(typeUrl: TypeUrl, names: Names): void {
    const follower = typeUrl === TYPE_URL.cluster ? TYPE_URL.endpoints : TYPE_URL.route;
    const subscription = this.get(follower);
    if (follower === TYPE_URL.route) {
      if (subscription === undefined) this.#early.set(follower, "known");
      else subscription.refresh("known");
      return;
    }
    if (subscription !== undefined) {
      subscription.refresh(names.keys());
      return;
    }
    const early = this.#early.get(follower) ?? NONE;
    if (early !== "known") this.#early.set(follower, joined(early, names));
  }
}

interface Lane<S> {
  readonly typeUrl: TypeUrl;
  readonly subscription: S;
  readonly order: number;
  readonly isReferrer: boolean;
  readonly isRemovedLast: boolean;
}

function toLane<S>(typeUrl: TypeUrl, subscription: S): Lane<S> {
  return {
    typeUrl,
    subscription,
    order: PUSH_ORDER.indexOf(typeUrl),
    isReferrer: REFERRERS.includes(typeUrl),
    isRemovedLast: REMOVED_LAST.includes(typeUrl),
  };
}

/** Of the upserts of a change. */
type Names = Pick<ReadonlyMap<string, unknown>, "has" | "keys" | "size">;

/** Lists of this length are made one set: a client that takes clusters for months and never asks for endpoints has one. */
const MOST_APART = 16;

function joined(list: readonly Names[], names: Names): readonly Names[] {
  const all = [...list, names];
  return all.length < MOST_APART ? all : [new Set(all.flatMap((one) => [...one.keys()]))];
}

function namesOf({ whole, upserts }: Change): Names {
  return whole ?? new Set(upserts.map(({ name }) => name));
}

function of(resources: NodeResources, typeUrl: TypeUrl): ResourceMap {
  return resources.types.get(typeUrl) ?? NO_RESOURCES;
}
