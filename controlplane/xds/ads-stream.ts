import type { Clock } from "../../mesh/lifecycle/clock.ts";
import type { Logger } from "../../mesh/telemetry/logger.ts";
import type { Answer, Subscription } from "../../mesh/xds/subscription.ts";
import { PUSH_ORDER, type TypeUrl } from "../../mesh/xds/type-urls.ts";
import type { NodeResources, XdsNode } from "./config-source.ts";
import type { ProxyStatusEntry } from "./proxy-status.ts";
import { type Push, PushScheduler } from "./push-scheduler.ts";

/** A change that a proxy took. */
export interface Propagation {
  readonly node: XdsNode;
  readonly typeUrl: TypeUrl;
  /** From the publication to the proxy's ACK. */
  readonly ms: number;
}

/** Told what happens on streams, for metrics. */
export interface AdsObserver {
  readonly onPush?: (typeUrl: TypeUrl) => void;
  readonly onNack?: (typeUrl: TypeUrl) => void;
  readonly onPropagation?: (propagation: Propagation) => void;
}

export interface AdsStreamDeps<S extends Subscription> {
  readonly node: XdsNode;
  readonly create: (typeUrl: TypeUrl) => S;
  /** Puts a push on the wire. */
  readonly send: (push: Push, snapshot: number) => void;
  readonly status: ProxyStatusEntry;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly observer: AdsObserver;
}

/** What was sent last of a type, for the status and the measurement. */
interface InFlight {
  readonly snapshot: number;
  /** When what it carries was published (monotonic); undefined when the client had asked for it. */
  readonly publishedAt: number | undefined;
}

/** One proxy's stream once its node is known: joins the scheduler to the status table. No transport in it. */
export class AdsStream<S extends Subscription> {
  readonly #deps: AdsStreamDeps<S>;
  readonly #scheduler: PushScheduler<S>;
  readonly #inFlight = new Map<TypeUrl, InFlight>();
  /** The first publication of each type that waits to be sent. */
  readonly #waitingSince = new Map<TypeUrl, number>();
  #resources: NodeResources | undefined;

  constructor(deps: AdsStreamDeps<S>) {
    this.#deps = deps;
    this.#scheduler = new PushScheduler(deps.create);
  }

  /** Takes a request in and sends what may go out then. */
  request(typeUrl: TypeUrl, take: (subscription: S) => Answer): void {
    const answer = this.#scheduler.request(typeUrl, take);
    this.#record(typeUrl, answer);
    this.#pump();
  }

  /** The node should have these resources from now on. `publishedAt`: monotonic; undefined when nothing new was. */
  resources(resources: NodeResources, publishedAt?: number): void {
    this.#resources = resources;
    this.#deps.status.evaluated(resources.snapshot);
    for (const typeUrl of publishedAt === undefined ? [] : PUSH_ORDER) {
      if (this.#waitingSince.has(typeUrl) || !this.#scheduler.isPending(typeUrl, resources)) continue;
      this.#waitingSince.set(typeUrl, publishedAt ?? 0);
    }
    this.#pump();
  }

  #record(typeUrl: TypeUrl, answer: Answer): void {
    const { status, clock, logger, node, observer } = this.#deps;
    if (answer.kind === "none" || answer.kind === "stale") return;
    const inFlight = this.#inFlight.get(typeUrl);
    this.#inFlight.delete(typeUrl);
    if (answer.kind === "nack") {
      const { message, rejected } = answer;
      observer.onNack?.(typeUrl);
      logger.warn("proxy refused its configuration", {
        node: node.id,
        typeUrl,
        resources: rejected,
        message,
      });
      status.update(typeUrl, { lastNack: { at: clock.now(), message, resources: rejected } });
      return;
    }
    if (inFlight === undefined) return;
    const covers = answer.sent.heldBack ? {} : { ackedSnapshot: inFlight.snapshot };
    status.update(typeUrl, { ackedAt: clock.now(), ...covers });
    if (inFlight.publishedAt === undefined) return;
    observer.onPropagation?.({ node, typeUrl, ms: clock.monotonic() - inFlight.publishedAt });
  }

  #pump(): void {
    const resources = this.#resources;
    if (resources !== undefined) {
      for (let push = this.#scheduler.next(resources); push !== undefined; ) {
        this.#send(push, resources.snapshot);
        push = this.#scheduler.next(resources);
      }
    }
    for (const typeUrl of PUSH_ORDER) this.#tell(typeUrl, resources);
  }

  #send(push: Push, snapshot: number): void {
    const { typeUrl } = push;
    this.#inFlight.set(typeUrl, { snapshot, publishedAt: this.#waitingSince.get(typeUrl) });
    this.#waitingSince.delete(typeUrl);
    this.#deps.send(push, snapshot);
    this.#deps.observer.onPush?.(typeUrl);
    this.#deps.status.update(typeUrl, { sentSnapshot: snapshot, sentAt: this.#deps.clock.now() });
  }

  #tell(typeUrl: TypeUrl, resources: NodeResources | undefined): void {
    const subscription = this.#scheduler.get(typeUrl);
    if (subscription === undefined) return;
    const { status } = this.#deps;
    const before = status.type(typeUrl);
    const state = this.#state(typeUrl, subscription, resources);
    const ackedSnapshot = state === "SYNCED" ? resources?.snapshot : before.ackedSnapshot;
    if (
      state === before.state &&
      subscription.size === before.resources &&
      ackedSnapshot === before.ackedSnapshot
    ) {
      return;
    }
    status.update(typeUrl, { state, resources: subscription.size, ackedSnapshot });
  }

  #state(
    typeUrl: TypeUrl,
    subscription: S,
    resources: NodeResources | undefined,
  ): "SYNCED" | "STALE" | "NOT SENT" | "REJECTED" {
    if (resources === undefined) return "NOT SENT";
    if (subscription.outstanding !== undefined) return "STALE";
    if (this.#scheduler.isPending(typeUrl, resources)) return "STALE";
    return subscription.rejected.size > 0 ? "REJECTED" : "SYNCED";
  }
}
