import { MeshError, messageOf } from "../../mesh/errors.ts";
import type { Clock } from "../../mesh/lifecycle/clock.ts";
import { runTasks } from "../../mesh/lifecycle/run-tasks.ts";
import type { Logger } from "../../mesh/telemetry/logger.ts";
import { encodeDeltaResponse } from "../../mesh/xds/encode-response.ts";
import type { ResourceMap } from "../../mesh/xds/encoded-resource.ts";
import type { Node } from "../../mesh/xds/gen/envoy/config/core/v3/base.ts";
import {
  DeltaDiscoveryRequest,
  type DeltaDiscoveryResponse,
} from "../../mesh/xds/gen/envoy/service/discovery/v3/discovery.ts";
import type { Status } from "../../mesh/xds/gen/google/rpc/status.ts";
import type { Answer, Change } from "../../mesh/xds/subscription.ts";
import { PUSH_ORDER, TYPE_URL, type TypeUrl } from "../../mesh/xds/type-urls.ts";
import { type ParsedResponse, parseDeltaResponse } from "./parse-response.ts";
import { RelayLane } from "./relay-lane.ts";
import { divideSecrets, SecretLane, type SecretSource } from "./secret-lane.ts";
import { type UpstreamAds, UpstreamLink } from "./upstream-link.ts";

export interface RelaySessionDeps {
  /** Of the data plane's first request; goes to the server with the first request of each stream. */
  readonly node: Node;
  /** `namespace/name`. */
  readonly workload: string;
  readonly lastGood: ReadonlyMap<TypeUrl, ResourceMap>;
  /** Called with all that the data plane has acknowledged of a type, when that changed. */
  readonly save: (typeUrl: TypeUrl, resources: ResourceMap) => void;
  /** Puts a response on the data plane's stream. */
  readonly send: (response: Uint8Array) => void;
  readonly upstream: UpstreamAds;
  readonly secrets: SecretSource;
  /** Who takes what DNS is to tell of this workload's mesh; undefined: nobody, now. */
  readonly names: () => NameSink | undefined;
  readonly onAnswer: (typeUrl: string, answer: Extract<Answer, { kind: "ack" | "nack" }>) => void;
  readonly logger: Logger;
  readonly clock: Clock;
  readonly random: () => number;
}

/** Takes the names of one workload: all of them first, then what changes. Returns, by resource, why it refuses some. */
export type NameSink = (change: Pick<Change, "upserts" | "removals">) => ReadonlyMap<string, string>;

/** How long a data plane waits for a server that may just be answering, before it gets what is stored. */
const PATIENCE_MS = 300;

/** After this time with a server, what is stored and was never asked for is dropped. */
const PRUNE_AFTER_MS = 60_000;

const MOST_TYPES = 16;

/**
 * One data plane's stream and the upstream stream that belongs to it. What the data plane has acknowledged is what is
 * kept; the loss of the server is not told to it.
 */
export class RelaySession {
  readonly #deps: RelaySessionDeps;
  readonly #link: UpstreamLink;
  readonly #secrets: SecretLane;
  readonly #lanes = new Map<string, RelayLane>();
  /** Whether the cache may answer for a server that has not. */
  #cacheMayAnswer = false;
  #saidNode = false;
  #nonces = 0;
  /** The server's name of itself, for people who look at the data plane. */
  #controlPlane: string | undefined;
  /** Whether the loss of the server was logged: the attempts to get it back are not. */
  #toldLoss = false;
  #names: NameSink | undefined;

  constructor(deps: RelaySessionDeps) {
    this.#deps = deps;
    this.#secrets = new SecretLane(deps.workload, deps.secrets);
    this.#link = new UpstreamLink({
      upstream: deps.upstream,
      clock: deps.clock,
      random: deps.random,
      events: {
        opened: () => this.#opened(),
        connected: () => this.#connected(),
        response: (response) => this.#received(response),
        lost: (reason) => this.#lost(reason),
      },
    });
  }

  /** Where the configuration comes from now. */
  get source(): "server" | "cache" {
    return this.#link.state.kind === "connected" ? "server" : "cache";
  }

  /** Holds the upstream stream until the signal is aborted. */
  async run(signal: AbortSignal): Promise<void> {
    this.followNames();
    await runTasks(
      signal,
      (signal) => this.#link.run(signal),
      async (signal) => {
        await this.#deps.clock.sleep(PATIENCE_MS, signal);
        if (!signal.aborted) this.#answerFromCache();
      },
      async (signal) => {
        await this.#deps.clock.sleep(PRUNE_AFTER_MS, signal);
        if (!signal.aborted && this.source === "server") this.#prune();
      },
    );
  }

  /** Takes a request of the data plane in. Throws `xds.refused` when it asks for too much. */
  request(request: DeltaDiscoveryRequest): void {
    // Names are for this agent, whatever a data plane asks for.
    if (request.typeUrl === TYPE_URL.hostName) return;
    if (request.typeUrl !== TYPE_URL.secret) {
      this.#take(request);
      return;
    }
    const { own, others } = divideSecrets(request, (nonce) => this.#secrets.awaits(nonce));
    if (own !== undefined) this.#note(own.typeUrl, this.#secrets.request(own));
    if (others !== undefined) this.#take(others);
    this.secretsChanged();
  }

  /** Subscribes to the names of this workload, once there is somebody to take them. */
  followNames(): void {
    if (this.#names !== undefined) return;
    this.#names = this.#deps.names();
    if (this.#names === undefined) return;
    const everything = { typeUrl: TYPE_URL.hostName, resourceNamesSubscribe: ["*"] };
    this.#take(DeltaDiscoveryRequest.fromPartial(everything));
  }

  #take(request: DeltaDiscoveryRequest): void {
    const lane = this.#lane(request.typeUrl);
    const answer = lane.subscription.request(request);
    this.#note(request.typeUrl, answer);
    if (answer.kind === "ack" || answer.kind === "nack") this.#answered(lane, answer, request.errorDetail);
    if (lane.forget(request.resourceNamesUnsubscribe)) this.#save(lane);
    this.#subscribe(lane, request);
    this.#pump();
  }

  /** Whether the data plane uses the secrets as they are now. */
  get secretsSettled(): boolean {
    return this.#secrets.settled;
  }

  /** Sends the secrets that are new. */
  secretsChanged(): void {
    const change = this.#secrets.next();
    if (change !== undefined) this.#secrets.sent(this.#send(TYPE_URL.secret, change), change);
  }

  #lane(typeUrl: string): RelayLane {
    const existing = this.#lanes.get(typeUrl);
    if (existing !== undefined) return existing;
    if (typeUrl === "" || this.#lanes.size >= MOST_TYPES) {
      throw new MeshError("xds.refused", `ask for resources of no type, or of more than ${MOST_TYPES}`);
    }
    const lane = new RelayLane(typeUrl, this.#deps.lastGood.get(typeUrl as TypeUrl));
    this.#lanes.set(typeUrl, lane);
    return lane;
  }

  #answered(
    lane: RelayLane,
    answer: Extract<Answer, { kind: "ack" | "nack" }>,
    errorDetail: Status | undefined,
  ): void {
    if (lane.commit(answer)) this.#save(lane);
    for (const responseNonce of lane.takeAnswered()) {
      this.#toServer({ typeUrl: lane.typeUrl, responseNonce, errorDetail });
    }
  }

  #note(typeUrl: string, answer: Answer): void {
    if (answer.kind === "nack") {
      const { message, rejected: resources } = answer;
      const fields = { node: this.#deps.node.id, typeUrl, resources, message };
      this.#deps.logger.warn("data plane refused its configuration", fields);
    }
    if (answer.kind === "ack" || answer.kind === "nack") this.#deps.onAnswer(typeUrl, answer);
  }

  #subscribe(lane: RelayLane, request: DeltaDiscoveryRequest): void {
    const { resourceNamesSubscribe, resourceNamesUnsubscribe } = request;
    if (!lane.announced) {
      this.#announce(lane);
      return;
    }
    if (resourceNamesSubscribe.length + resourceNamesUnsubscribe.length === 0) return;
    if (this.#link.state.kind === "connected") lane.awaitAnswer(resourceNamesSubscribe);
    this.#toServer({ typeUrl: lane.typeUrl, resourceNamesSubscribe, resourceNamesUnsubscribe });
  }

  #announce(lane: RelayLane): void {
    if (this.#link.state.kind === "down") return;
    const announcement = lane.announcement();
    if (announcement === undefined) return;
    lane.announced = true;
    this.#toServer({
      typeUrl: lane.typeUrl,
      resourceNamesSubscribe: [...announcement.subscribe],
      initialResourceVersions: { ...announcement.versions },
    });
  }

  #opened(): void {
    this.#saidNode = false;
    for (const lane of this.#ordered()) this.#announce(lane);
  }

  #connected(): void {
    this.#toldLoss = false;
    this.#deps.logger.info("server connected", { node: this.#deps.node.id });
  }

  #received(response: DeltaDiscoveryResponse): void {
    const lane = this.#lanes.get(response.typeUrl);
    if (lane === undefined) return;
    this.#controlPlane = response.controlPlane?.identifier;
    let parsed: ParsedResponse;
    try {
      parsed = parseDeltaResponse(response);
    } catch (error) {
      const message = messageOf(error);
      this.#deps.logger.warn("server sent a response that cannot be used", { error: message });
      const errorDetail = { code: 3, message, details: [] };
      this.#toServer({ typeUrl: lane.typeUrl, responseNonce: response.nonce, errorDetail });
      return;
    }
    if (!lane.receive(response.nonce, parsed)) this.#link.drop();
    this.#pump();
  }

  #lost(reason: string): void {
    if (!this.#toldLoss) this.#deps.logger.warn("server lost", { node: this.#deps.node.id, reason });
    this.#toldLoss = true;
    for (const lane of this.#lanes.values()) lane.lost();
    this.#answerFromCache();
  }

  #answerFromCache(): void {
    this.#cacheMayAnswer = true;
    this.#pump();
  }

  /** Sends what may go out: in push order, one unanswered response per type. */
  #pump(): void {
    let held = false;
    for (const lane of this.#ordered()) {
      const { offered, subscription } = lane;
      if (offered === undefined || !(lane.answered || this.#cacheMayAnswer)) continue;
      const change = subscription.change(offered, "now");
      const isOrdered = PUSH_ORDER.some((typeUrl) => typeUrl === lane.typeUrl);
      if (subscription.outstanding !== undefined) {
        held ||= isOrdered && change !== undefined;
      } else if (change === undefined) {
        for (const responseNonce of lane.takeUnneeded()) {
          this.#toServer({ typeUrl: lane.typeUrl, responseNonce });
        }
      } else if (!(held && isOrdered)) {
        subscription.sent(this.#send(lane.typeUrl, change), change);
        lane.pushed();
      }
    }
  }

  #ordered(): readonly RelayLane[] {
    const first = PUSH_ORDER.flatMap((typeUrl) => this.#lanes.get(typeUrl) ?? []);
    return [...first, ...[...this.#lanes.values()].filter((lane) => !first.includes(lane))];
  }

  #send(typeUrl: string, change: Change): string {
    this.#nonces += 1;
    const nonce = `r${this.#nonces}`;
    if (typeUrl === TYPE_URL.hostName) {
      // The answer comes once the change is noted as sent.
      queueMicrotask(() => this.#tellNames(nonce, change));
      return nonce;
    }
    const controlPlane = this.#controlPlane;
    const head = { typeUrl, nonce, version: "", ...(controlPlane === undefined ? {} : { controlPlane }) };
    this.#deps.send(encodeDeltaResponse(head, change.upserts, change.removals));
    return nonce;
  }

  #tellNames(responseNonce: string, change: Change): void {
    const refused = [...(this.#names?.(change).values() ?? [])];
    const errorDetail =
      refused.length === 0 ? undefined : { code: 3, message: refused.join("; "), details: [] };
    this.#take({
      ...DeltaDiscoveryRequest.fromPartial({ typeUrl: TYPE_URL.hostName }),
      responseNonce,
      errorDetail,
    });
  }

  #toServer(request: Partial<DeltaDiscoveryRequest>): void {
    const node = this.#saidNode ? undefined : this.#deps.node;
    this.#saidNode = true;
    this.#link.send({ ...DeltaDiscoveryRequest.fromPartial({}), ...request, node });
  }

  #save(lane: RelayLane): void {
    this.#deps.save(lane.typeUrl as TypeUrl, lane.good);
  }

  #prune(): void {
    for (const lane of this.#lanes.values()) if (lane.prune()) this.#save(lane);
  }
}
