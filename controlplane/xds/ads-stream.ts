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
  /** False while what was sent before is still on its way out; `writable` is called afterwards. */
  readonly canSend: () => boolean;
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

/** How far a type's newest has come. */
interface Progress {
  inFlight: InFlight | undefined;
  /** The first publication that waits to be sent (monotonic). */
  waitingSince: number | undefined;
}

const NONE: readonly never[] = [];

/** One proxy's stream once its node is known: joins the scheduler to the status table. No transport in it. */
export class AdsStream<S extends Subscription> {
  readonly #deps: AdsStreamDeps<S>;
  readonly #scheduler: PushScheduler<S>;
  readonly #progress = new Map<TypeUrl, Progress>();
  #resources: NodeResources | undefined;
  /** Types of which something is to be sent or answered, as it was when last looked at. */
  #unsettled: readonly TypeUrl[] = PUSH_ORDER;

  constructor(deps: AdsStreamDeps<S>) {
    this.#deps = deps;
    this.#scheduler = new PushScheduler(deps.create);
  }

  /** Takes a request in and sends what may go out then. */
  request(typeUrl: TypeUrl, take: (subscription: S) => Answer): void {
    const answer = this.#scheduler.request(typeUrl, take);
    this.#record(typeUrl, answer);
    // Most requests acknowledge the one response that was on its way.
    const isLast = answer.kind === "ack" && this.#unsettled.length === 1 && this.#unsettled[0] === typeUrl;
    const resources = this.#resources;
    if (isLast && resources !== undefined && !this.#scheduler.isPending(typeUrl, resources)) {
      this.#unsettled = this.#tell(typeUrl, resources) ? NONE : [typeUrl];
    } else this.#pump();
  }

  /** The node should have these resources from now on. `publishedAt`: monotonic; undefined when nothing new was. */
  resources(resources: NodeResources, publishedAt?: number): void {
    const before = this.#unsettled.length === 0 ? this.#resources : undefined;
    this.#resources = resources;
    const pending = this.#scheduler.pending(resources, before);
    if (publishedAt !== undefined) {
      for (const typeUrl of pending) this.#progressOf(typeUrl).waitingSince ??= publishedAt;
    }
    // Most publications concern few streams, and one type.
    const first = pending[0];
    if (before === undefined || pending.length > 1) this.#pump();
    else if (first !== undefined) this.#pumpAlone(first, resources);
    this.#deps.status.evaluated(resources.snapshot);
  }

  /** What was sent is out: more may go. */
  writable(): void {
    if (this.#unsettled.length > 0) this.#pump();
  }

  #record(typeUrl: TypeUrl, answer: Answer): void {
    const { status, clock, logger, node, observer } = this.#deps;
    if (answer.kind === "none" || answer.kind === "stale") return;
    const progress = this.#progressOf(typeUrl);
    const { inFlight } = progress;
    progress.inFlight = undefined;
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
    const ackedAt = clock.now();
    status.update(
      typeUrl,
      answer.sent.heldBack ? { ackedAt } : { ackedAt, ackedSnapshot: inFlight.snapshot },
    );
    if (inFlight.publishedAt === undefined) return;
    observer.onPropagation?.({ node, typeUrl, ms: clock.monotonic() - inFlight.publishedAt });
  }

  #pump(): void {
    const resources = this.#resources;
    while (this.#deps.canSend()) {
      const push = resources && this.#scheduler.next(resources);
      if (resources === undefined || push === undefined) break;
      this.#send(push, resources.snapshot);
    }
    this.#unsettled = this.#scheduler.typeUrls.filter((typeUrl) => !this.#tell(typeUrl, resources));
  }

  /** Nothing else waits, and no other response is unanswered. */
  #pumpAlone(typeUrl: TypeUrl, resources: NodeResources): void {
    const push = this.#deps.canSend() ? this.#scheduler.alone(typeUrl, resources) : undefined;
    if (push === undefined) {
      this.#pump();
      return;
    }
    this.#send(push, resources.snapshot);
    this.#unsettled = this.#tell(typeUrl, resources) ? NONE : [typeUrl];
  }

  #send(push: Push, snapshot: number): void {
    const { typeUrl } = push;
    const progress = this.#progressOf(typeUrl);
    progress.inFlight = { snapshot, publishedAt: progress.waitingSince };
    progress.waitingSince = undefined;
    this.#deps.send(push, snapshot);
    this.#deps.observer.onPush?.(typeUrl);
    this.#deps.status.update(typeUrl, { sentSnapshot: snapshot, sentAt: this.#deps.clock.now() });
  }

  #progressOf(typeUrl: TypeUrl): Progress {
    const known = this.#progress.get(typeUrl);
    if (known !== undefined) return known;
    const progress: Progress = { inFlight: undefined, waitingSince: undefined };
    this.#progress.set(typeUrl, progress);
    return progress;
  }

  /** Whether nothing is to be sent or answered. */
  #tell(typeUrl: TypeUrl, resources: NodeResources | undefined): boolean {
    const subscription = this.#scheduler.get(typeUrl);
    if (subscription === undefined) return true;
    const { status } = this.#deps;
    const before = status.type(typeUrl);
    const state = this.#state(typeUrl, subscription, resources);
    const { size } = subscription;
    if (state !== before.state || size !== before.resources)
      status.update(typeUrl, { state, resources: size });
    return state === "SYNCED" || state === "REJECTED";
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
