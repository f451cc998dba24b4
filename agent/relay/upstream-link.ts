import { Metadata } from "@grpc/grpc-js";
import { messageOf } from "../../mesh/errors.ts";
import { type BackoffPolicy, backoffMs } from "../../mesh/lifecycle/backoff.ts";
import type { Clock } from "../../mesh/lifecycle/clock.ts";
import type { DeltaClientStream } from "../../mesh/xds/ads-service.ts";
import type {
  DeltaDiscoveryRequest,
  DeltaDiscoveryResponse,
} from "../../mesh/xds/gen/envoy/service/discovery/v3/discovery.ts";

/** The way to the server. Channel, credentials and choice of server are the agent's. */
export interface UpstreamAds {
  /** Opens a delta stream (`openDeltaStream` on the agent's channel). Called again after each loss. */
  open(): DeltaClientStream;
}

export type LinkState =
  /** Requests may be sent; whether the server takes them is not known yet. */
  | { readonly kind: "connecting"; readonly stream: DeltaClientStream }
  | { readonly kind: "connected"; readonly stream: DeltaClientStream }
  | { readonly kind: "down"; readonly reason: string };

interface LinkEvents {
  /** A new stream: the server knows nothing of this client. */
  opened(): void;
  /** The server has let this client in. */
  connected(): void;
  response(response: DeltaDiscoveryResponse): void;
  /** The stream is over; nonces of it mean nothing from now on. */
  lost(reason: string): void;
}

export interface LinkDeps {
  readonly upstream: UpstreamAds;
  readonly clock: Clock;
  readonly random: () => number;
  readonly events: LinkEvents;
}

const RECONNECT: BackoffPolicy = { firstMs: 250, maxMs: 20_000 };

/** Keeps one upstream stream open, whatever ends it. */
export class UpstreamLink {
  readonly #deps: LinkDeps;
  #state: LinkState = { kind: "down", reason: "not started" };

  constructor(deps: LinkDeps) {
    this.#deps = deps;
  }

  get state(): LinkState {
    return this.#state;
  }

  /** Sends when there is a stream; else does nothing, since the next stream starts anew. */
  send(request: DeltaDiscoveryRequest): void {
    if (this.#state.kind !== "down") this.#state.stream.write(request);
  }

  /** Gives the stream up, for a server that breaks the protocol. */
  drop(): void {
    if (this.#state.kind !== "down") this.#state.stream.cancel();
  }

  async run(signal: AbortSignal): Promise<void> {
    const { clock, random, events } = this.#deps;
    for (let attempt = 0; !signal.aborted; attempt += 1) {
      const { reason, wasConnected } = await this.#stream(signal);
      if (signal.aborted) return;
      this.#state = { kind: "down", reason };
      events.lost(reason);
      if (wasConnected) attempt = 0;
      await clock.sleep(backoffMs(RECONNECT, attempt, random()), signal);
    }
  }

  /** One stream, from its opening to its end. */
  async #stream(signal: AbortSignal): Promise<{ reason: string; wasConnected: boolean }> {
    const { events } = this.#deps;
    const { promise: ended, resolve } = Promise.withResolvers<string>();
    let wasConnected = false;
    let stream: DeltaClientStream;
    try {
      stream = this.#deps.upstream.open();
    } catch (error) {
      return { reason: messageOf(error), wasConnected };
    }
    const letIn = (): void => {
      if (wasConnected) return;
      wasConnected = true;
      this.#state = { kind: "connected", stream };
      events.connected();
    };
    stream.on("metadata", (metadata: unknown) => {
      if (metadata instanceof Metadata) letIn();
    });
    stream.on("data", (response: DeltaDiscoveryResponse) => {
      if (this.#state.kind === "down" || this.#state.stream !== stream) return;
      letIn();
      events.response(response);
    });
    stream.on("error", (error) => resolve(messageOf(error)));
    stream.on("end", () => resolve("the server ended the stream"));
    const abort = (): void => resolve("stopped");
    signal.addEventListener("abort", abort, { once: true });
    if (signal.aborted) abort();
    this.#state = { kind: "connecting", stream };
    events.opened();
    const reason = await ended;
    signal.removeEventListener("abort", abort);
    stream.cancel();
    return { reason, wasConnected };
  }
}
