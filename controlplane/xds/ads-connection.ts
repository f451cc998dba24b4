import { Metadata, type ServerDuplexStream, status } from "@grpc/grpc-js";
import { MeshError, messageOf } from "../../mesh/errors.ts";
import type { Clock } from "../../mesh/lifecycle/clock.ts";
import type { Logger } from "../../mesh/telemetry/logger.ts";
import type { LateBytes } from "../../mesh/xds/ads-service.ts";
import type { Node } from "../../mesh/xds/gen/envoy/config/core/v3/base.ts";
import type { Subscription } from "../../mesh/xds/subscription.ts";
import { PUSH_ORDER, TYPE_URL, type TypeUrl } from "../../mesh/xds/type-urls.ts";
import { toStatus } from "../agents/status.ts";
import { type AdsObserver, AdsStream } from "./ads-stream.ts";
import type { ConfigSource, NodeResources, XdsNode } from "./config-source.ts";
import type { ProxyStatusEntry, ProxyStatusTable } from "./proxy-status.ts";
import type { AdsRequest, Wire } from "./wire.ts";

/** The call as the authorizer gets it: for its peer, not to be read or written. */
export type AdsCall = Pick<ServerDuplexStream<unknown, unknown>, "getAuthContext" | "getPeer" | "metadata">;

export type Authorization =
  | { readonly kind: "allowed"; readonly node: XdsNode }
  /** No such workload yet: the stream waits, and `authorize` is asked again after each publication. */
  | { readonly kind: "unknown" }
  /** The reason is for the log; the caller is told that it is refused and nothing else. */
  | { readonly kind: "refused"; readonly reason: string };

export interface AdsConnectionDeps extends AdsObserver {
  readonly source: ConfigSource;
  /** Throws for a peer that may have no stream at all: it is sent away before it has said anything. */
  readonly authenticate?: (call: AdsCall) => void;
  /**
   * May the peer of this call have this node's configuration? Asked at the start of a stream and again after each
   * publication, so that a workload that has moved away is served no longer; keep what is costly per `call`.
   */
  readonly authorize: (call: AdsCall, nodeId: string) => Authorization;
  /**
   * Grows whenever `authorize` may have another answer for some stream, so that it is not asked for all of them after
   * each publication; time alone may change an answer within a minute. Without it, it is asked each time.
   */
  readonly authorizationRevision?: () => number;
  /** This server's name in responses and in the status. */
  readonly server: string;
  readonly table: ProxyStatusTable;
  /** Does what follows from a request, now or when there is time for it. */
  readonly hear: (work: () => void) => void;
  readonly logger: Logger;
  readonly clock: Clock;
}

type State<S extends Subscription> =
  | { readonly kind: "new" }
  /** The call is paused meanwhile; `first` is its first request. */
  | { readonly kind: "waiting"; readonly nodeId: string; readonly first: AdsRequest }
  | {
      readonly kind: "serving";
      readonly node: XdsNode;
      readonly stream: AdsStream<S>;
      readonly entry: ProxyStatusEntry;
    }
  | { readonly kind: "closed" };

const LONGEST_NODE_ID = 1024;

/** Of these a client may have everything and still ask for more by name, as calls come. */
const ON_DEMAND: readonly TypeUrl[] = [TYPE_URL.virtualHost, TYPE_URL.cluster];

/** An answer of `authorize` holds no longer: certificates expire. */
const ASK_AGAIN_MS = 30_000;

/** Requests that wait to be heard; the next are left to the transport, and so to the client. */
const MOST_UNHEARD = 16;

/** More is not given to the transport before this much of it is out: it might be outdated by then. */
const MOST_UNSENT_BYTES = 64 * 1024;

/** One ADS call: from its first request, which names the node, to its end. */
export class AdsConnection<Q extends AdsRequest = never, S extends Subscription = Subscription> {
  readonly #deps: AdsConnectionDeps;
  readonly #call: ServerDuplexStream<Q, unknown>;
  readonly #wire: Wire<Q, S>;
  readonly #onClose: () => void;
  #state: State<S> = { kind: "new" };
  #unsentBytes = 0;
  #unheard = 0;
  /** What `authorize` allowed last, and when (monotonic). */
  #allowed: { readonly revision: number; readonly at: number } | undefined;

  constructor(
    deps: AdsConnectionDeps,
    call: ServerDuplexStream<Q, unknown>,
    wire: Wire<Q, S>,
    onClose: () => void,
  ) {
    this.#deps = deps;
    this.#call = call;
    this.#wire = wire;
    this.#onClose = onClose;
    call.on("data", (request: Q) => this.#hear(request));
    call.on("end", () => {
      this.#close();
      call.end();
    });
    for (const event of ["cancelled", "close", "error"]) call.on(event, () => this.#close());
  }

  /** Looks who the peer is; its requests are taken from then on. */
  open(): void {
    this.#guard(() => this.#deps.authenticate?.(this.#call));
  }

  /** There is something new. `at`: when it was published (monotonic). */
  published(at: number): void {
    this.#guard(() => {
      const state = this.#state;
      if (state.kind === "waiting") this.#admit(state.nodeId, state.first as Q);
      if (state.kind !== "serving") return;
      if (!this.#isStillAllowed(state.node.id, at)) return;
      const resources = this.#resources(state.node);
      if (resources !== undefined) state.stream.resources(resources, at);
    });
  }

  #isStillAllowed(nodeId: string, now: number): boolean {
    const revision = this.#deps.authorizationRevision?.();
    const allowed = this.#allowed;
    if (revision !== undefined && allowed?.revision === revision && now - allowed.at < ASK_AGAIN_MS)
      return true;
    const verdict = this.#deps.authorize(this.#call, nodeId);
    if (verdict.kind === "refused") this.#refuse(nodeId, verdict.reason);
    if (verdict.kind !== "allowed") return false;
    this.#allowed = revision === undefined ? undefined : { revision, at: now };
    return true;
  }

  end(code: status, details: string): void {
    if (this.#state.kind === "closed") return;
    this.#close();
    this.#call.emit("error", Object.assign(new Error(details), { code, details }));
  }

  #hear(request: Q): void {
    this.#unheard += 1;
    // What the first leads to decides what becomes of the others.
    if (this.#state.kind === "new" || this.#unheard >= MOST_UNHEARD) this.#call.pause();
    this.#deps.hear(() => {
      this.#unheard -= 1;
      this.#guard(() => this.#take(request));
      if (this.#state.kind === "serving") this.#call.resume();
    });
  }

  #take(request: Q): void {
    const state = this.#state;
    switch (state.kind) {
      case "new":
        this.#admit(this.#nodeId(request.node), request);
        return;
      case "serving":
        if (request.node?.id && request.node.id !== state.node.id) {
          throw new MeshError("xds.refused", "a stream is for one node, and this one has changed its id");
        }
        // Its workload may have gone or moved to another host since the last publication.
        if (this.#isStillAllowed(state.node.id, this.#deps.clock.monotonic())) {
          this.#subscribe(state.stream, request);
        } else this.end(status.UNAVAILABLE, "the node's workload is not registered now");
        return;
      case "waiting":
      case "closed":
        return;
      default:
        state satisfies never;
    }
  }

  #nodeId(node: Node | undefined): string {
    const id = node?.id ?? "";
    if (id === "" || id.length > LONGEST_NODE_ID) {
      throw new MeshError("xds.refused", "the first request of a stream must name its node");
    }
    return id;
  }

  #admit(nodeId: string, first: Q): void {
    const verdict = this.#deps.authorize(this.#call, nodeId);
    switch (verdict.kind) {
      case "refused":
        this.#refuse(nodeId, verdict.reason);
        return;
      case "unknown":
        if (this.#state.kind === "new")
          this.#deps.logger.info("node waits for its workload", { node: nodeId });
        this.#call.pause();
        this.#state = { kind: "waiting", nodeId, first };
        return;
      case "allowed":
        this.#serve(verdict.node, first);
        return;
      default:
        verdict satisfies never;
    }
  }

  #serve(node: XdsNode, first: Q): void {
    const { clock, logger, table, server } = this.#deps;
    const entry = table.connect({
      nodeId: node.id,
      workload: node.workload,
      server,
      method: this.#wire.method,
      dataPlane: first.node?.userAgentName ?? "",
      dataPlaneVersion: versionOf(first.node),
      connectedAt: clock.now(),
    });
    const stream = new AdsStream<S>({
      node,
      create: (typeUrl) => this.#wire.create(typeUrl),
      send: (push, snapshot) => this.#send(() => this.#wire.encode(push, snapshot, server)),
      canSend: () => this.#unsentBytes < MOST_UNSENT_BYTES,
      status: entry,
      clock,
      logger,
      observer: this.#deps,
    });
    this.#state = { kind: "serving", node, stream, entry };
    // Tells the client that it is served, before there is anything to send.
    this.#call.sendMetadata(new Metadata());
    logger.info("proxy connected", { node: node.id, method: this.#wire.method });
    const resources = this.#resources(node);
    if (resources !== undefined) stream.resources(resources);
    this.#subscribe(stream, first);
    this.#call.resume();
  }

  #send(encode: LateBytes): void {
    // Until its turn has come and its size is known, nothing may be queued behind it.
    let size = MOST_UNSENT_BYTES;
    this.#unsentBytes += size;
    const late: LateBytes = () => {
      const bytes = encode();
      this.#unsentBytes += bytes.length - size;
      size = bytes.length;
      return bytes;
    };
    this.#call.write(late, () => {
      const isHeld = this.#unsentBytes >= MOST_UNSENT_BYTES;
      this.#unsentBytes -= size;
      const state = this.#state;
      if (isHeld && state.kind === "serving") this.#guard(() => state.stream.writable());
    });
  }

  #subscribe(stream: AdsStream<S>, request: Q): void {
    const typeUrl = PUSH_ORDER.find((known) => known === request.typeUrl);
    // Of types that nobody serves, a client learns by its own time limit.
    if (typeUrl === undefined) return;
    const awaited = this.#ask(typeUrl, request);
    stream.request(typeUrl, (subscription) => this.#wire.take(subscription, request, awaited));
  }

  /** Has what is asked for on demand looked up, and returns the names that an answer will come for. */
  #ask(typeUrl: TypeUrl, request: Q): readonly string[] {
    const names = ON_DEMAND.includes(typeUrl) ? this.#wire.named(request) : [];
    if (names.length === 0 || this.#state.kind !== "serving") return [];
    return this.#deps.source.asked?.(this.#state.node, names) ?? [];
  }

  /** A source that fails for one node leaves that node with what it has. */
  #resources(node: XdsNode): NodeResources | undefined {
    try {
      return this.#deps.source.resourcesFor(node);
    } catch (error) {
      this.#deps.logger.error("resources of a node failed", { node: node.id, error: messageOf(error) });
      return undefined;
    }
  }

  #refuse(nodeId: string, reason: string): void {
    this.#deps.logger.warn("stream refused", { node: nodeId, peer: this.#call.getPeer(), reason });
    this.end(status.PERMISSION_DENIED, "not allowed to have this node's configuration");
  }

  #guard(work: () => void): void {
    if (this.#state.kind === "closed") return;
    try {
      work();
    } catch (error) {
      if (error instanceof MeshError && error.code === "xds.refused") {
        this.end(status.INVALID_ARGUMENT, error.message);
        return;
      }
      const { code, details } = toStatus(error);
      const { logger } = this.#deps;
      if (code === status.INTERNAL) logger.error("stream failed", { error: messageOf(error) });
      // Anybody can cause it, as often as they like.
      else logger.debug("stream refused", { peer: this.#call.getPeer(), reason: messageOf(error) });
      this.end(code, details);
    }
  }

  #close(): void {
    if (this.#state.kind === "closed") return;
    if (this.#state.kind === "serving") {
      this.#state.entry.close();
      this.#deps.logger.info("proxy disconnected", { node: this.#state.node.id });
    }
    this.#state = { kind: "closed" };
    this.#onClose();
  }
}

function versionOf(node: Node | undefined): string {
  if (node?.userAgentVersion !== undefined) return node.userAgentVersion;
  const version = node?.userAgentBuildVersion?.version;
  return version === undefined ? "" : `${version.majorNumber}.${version.minorNumber}.${version.patch}`;
}
