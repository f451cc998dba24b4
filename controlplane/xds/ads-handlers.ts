import { type handleBidiStreamingCall, type ServerDuplexStream, status } from "@grpc/grpc-js";
import type { LateBytes } from "../../mesh/xds/ads-service.ts";
import type {
  DeltaDiscoveryRequest,
  DeltaDiscoveryResponse,
  DiscoveryRequest,
  DiscoveryResponse,
} from "../../mesh/xds/gen/envoy/service/discovery/v3/discovery.ts";
import type { Subscription } from "../../mesh/xds/subscription.ts";
import { AdsConnection, type AdsConnectionDeps } from "./ads-connection.ts";
import { ProxyStatusTable } from "./proxy-status.ts";
import { PushWaves } from "./push-waves.ts";
import { type AdsRequest, deltaWire, sotwWire, type Wire } from "./wire.ts";

export interface AdsServerOptions extends Omit<AdsConnectionDeps, "table" | "hear"> {
  /** Streams at a time; one more is refused. */
  readonly mostStreams?: number;
}

export interface AdsServer {
  /** Implementation of `adsService` for grpc-js `Server.addService`. */
  readonly handlers: {
    readonly deltaAggregatedResources: Handler<DeltaDiscoveryRequest, DeltaDiscoveryResponse>;
    readonly streamAggregatedResources: Handler<DiscoveryRequest, DiscoveryResponse>;
  };
  readonly status: ProxyStatusTable;
  /** Serves publications until the signal is aborted, then ends all streams. Does not throw. */
  run(signal: AbortSignal): Promise<void>;
}

type Handler<Q, S> = handleBidiStreamingCall<Q, S | Uint8Array | LateBytes>;

const MOST_STREAMS = 20_000;

/**
 * The aggregated discovery service on a source of configuration. Each publication reaches all streams in one wave.
 */
export function adsHandlers(options: AdsServerOptions): AdsServer {
  const { clock, source, mostStreams = MOST_STREAMS } = options;
  const table = new ProxyStatusTable();
  const connections = new Set<AdsConnection>();
  const waves = new PushWaves(clock);

  function serve<Q extends AdsRequest, S extends Subscription>(
    call: ServerDuplexStream<Q, unknown>,
    wire: Wire<Q, S>,
  ): void {
    const connection = new AdsConnection(
      { ...options, table, hear: (work) => waves.hear(work) },
      call,
      wire,
      () => {
        connections.delete(connection);
        waves.forget(connection);
      },
    );
    connections.add(connection);
    if (connections.size > mostStreams) connection.end(status.RESOURCE_EXHAUSTED, "too many streams");
    else connection.open();
  }

  return {
    handlers: {
      deltaAggregatedResources: (call) => serve(call, deltaWire),
      streamAggregatedResources: (call) => serve(call, sotwWire),
    },
    status: table,
    async run(signal) {
      source.onPublish(() => waves.publish(connections), signal);
      const { promise: aborted, resolve } = Promise.withResolvers<void>();
      signal.addEventListener("abort", () => resolve(), { once: true });
      if (signal.aborted) resolve();
      await aborted;
      for (const connection of connections) connection.end(status.UNAVAILABLE, "the server is stopping");
      await waves.idle();
    },
  };
}
