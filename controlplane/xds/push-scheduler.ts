import type { Change, Subscription } from "../../mesh/xds/subscription.ts";
import { PUSH_ORDER, TYPE_URL, type TypeUrl } from "../../mesh/xds/type-urls.ts";
import type { NodeResources, ResourceMap } from "./config-source.ts";

/** A response that may go out now. */
export interface Push {
  readonly typeUrl: TypeUrl;
  readonly change: Change;
  readonly nonce: string;
}

const NO_RESOURCES: ResourceMap = new Map();

/** What refers to clusters and endpoints: these are removed only when nothing old refers to them any more. */
const REFERRERS: readonly TypeUrl[] = [TYPE_URL.listener, TYPE_URL.route];

/** Only when those are quiet may the last references to a removed resource be gone. */
const REMOVED_LAST: readonly TypeUrl[] = [TYPE_URL.cluster, TYPE_URL.endpoints];

/**
 * Decides what one stream is sent, and when (xDS protocol, "eventual consistency considerations"). Pure state.
 *
 * - Order: cluster, endpoints, listener, route. A type whose newer state waits for an answer holds back those after it.
 *   Listeners and routes also wait until the client has taken clusters that were just sent, with their endpoints: Envoy
 *   answers 503 for a cluster that still warms.
 * - At most one response per type is unanswered. What is sent then is the state at that time, not those in between.
 * - Clusters and endpoints are removed last: after all else was sent and listeners and routes were taken. While a
 *   listener or a route is refused, the client still uses its old one, so what that one may refer to stays.
 * - Warming: endpoints follow each sent cluster, routes each sent listener, even unchanged; without them the client
 *   would keep the new one waiting.
 */
export class PushScheduler<S extends Subscription> {
  readonly #subscriptions = new Map<TypeUrl, S>();
  readonly #create: (typeUrl: TypeUrl) => S;
  /** Warming for a type that the client has not asked for yet on this stream. */
  readonly #early = new Map<TypeUrl, Set<string> | "known">();
  /** Clusters that were sent and whose endpoints may not have been taken. */
  #fresh: ReadonlySet<string> = new Set();
  #nonces = 0;

  constructor(create: (typeUrl: TypeUrl) => S) {
    this.#create = create;
  }

  get(typeUrl: TypeUrl): S | undefined {
    return this.#subscriptions.get(typeUrl);
  }

  /** Gives a request to its type's subscription, which its first request makes. */
  request<T>(typeUrl: TypeUrl, take: (subscription: S) => T): T {
    const existing = this.#subscriptions.get(typeUrl);
    if (existing !== undefined) return take(existing);
    const subscription = this.#create(typeUrl);
    this.#subscriptions.set(typeUrl, subscription);
    const answer = take(subscription);
    subscription.refresh(this.#early.get(typeUrl) ?? []);
    this.#early.delete(typeUrl);
    return answer;
  }

  /** The next response that may go out, already recorded as sent; undefined when there is none now. */
  next(resources: NodeResources): Push | undefined {
    let held = false;
    for (const typeUrl of PUSH_ORDER) {
      if (REFERRERS.includes(typeUrl) && (held || this.#isWarming())) {
        held = true;
        break;
      }
      const subscription = this.#subscriptions.get(typeUrl);
      const removals = REMOVED_LAST.includes(typeUrl) ? "later" : "now";
      const change = subscription?.change(of(resources, typeUrl), removals);
      if (subscription === undefined || change === undefined) continue;
      if (subscription.outstanding === undefined) return this.#push(typeUrl, subscription, change);
      held = true;
      // Envoy answers clusters only when those that warm have their endpoints: holding these back would wait for ever.
      if (typeUrl !== TYPE_URL.cluster) break;
    }
    return held || !this.#referrersAreQuiet() ? undefined : this.#removal(resources);
  }

  /** Whether the client has all of this type, and said so. */
  isSettled(typeUrl: TypeUrl, resources: NodeResources): boolean {
    const subscription = this.#subscriptions.get(typeUrl);
    if (subscription === undefined) return true;
    if (subscription.outstanding !== undefined || subscription.rejected.size > 0) return false;
    return subscription.change(of(resources, typeUrl), "now") === undefined;
  }

  /** Whether something of this type waits to be sent. */
  isPending(typeUrl: TypeUrl, resources: NodeResources): boolean {
    return this.#subscriptions.get(typeUrl)?.change(of(resources, typeUrl), "now") !== undefined;
  }

  /** Clients ask for a new cluster's endpoints before they answer the cluster (Envoy does), so nothing is missed here. */
  #isWarming(): boolean {
    const clusters = this.#subscriptions.get(TYPE_URL.cluster)?.outstanding;
    if (clusters !== undefined && clusters.upserts.length > 0) return true;
    const assignments = this.#subscriptions.get(TYPE_URL.endpoints)?.outstanding;
    if (assignments?.upserts.some(({ name }) => this.#fresh.has(name))) return true;
    this.#fresh = new Set();
    return false;
  }

  #referrersAreQuiet(): boolean {
    return REFERRERS.every((typeUrl) => {
      const subscription = this.#subscriptions.get(typeUrl);
      return (
        subscription === undefined ||
        (subscription.outstanding === undefined && subscription.rejected.size === 0)
      );
    });
  }

  #removal(resources: NodeResources): Push | undefined {
    for (const typeUrl of REMOVED_LAST) {
      const subscription = this.#subscriptions.get(typeUrl);
      if (subscription === undefined) continue;
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
    if (typeUrl === TYPE_URL.cluster || typeUrl === TYPE_URL.listener) {
      const names = change.upserts.map((resource) => resource.name);
      if (typeUrl === TYPE_URL.cluster) this.#fresh = new Set(names).union(this.#fresh);
      this.#warm(typeUrl, names);
    }
    return { typeUrl, change, nonce };
  }

  /** An EDS cluster's assignment has the cluster's name; which routes a listener refers to is not known here. */
  #warm(typeUrl: TypeUrl, names: readonly string[]): void {
    if (names.length === 0) return;
    const follower = typeUrl === TYPE_URL.cluster ? TYPE_URL.endpoints : TYPE_URL.route;
    const which = follower === TYPE_URL.endpoints ? new Set(names) : "known";
    const subscription = this.#subscriptions.get(follower);
    if (subscription !== undefined) {
      subscription.refresh(which);
      return;
    }
    const early = this.#early.get(follower);
    this.#early.set(
      follower,
      which === "known" || early === "known" ? "known" : which.union(early ?? new Set()),
    );
  }
}

function of(resources: NodeResources, typeUrl: TypeUrl): ResourceMap {
  return resources.types.get(typeUrl) ?? NO_RESOURCES;
}
