import { setImmediate as nextTurn } from "node:timers/promises";
import { type handleBidiStreamingCall, type ServerDuplexStream, status } from "@grpc/grpc-js";
import type {
  DeltaDiscoveryRequest,
  DeltaDiscoveryResponse,
  DiscoveryRequest,
  DiscoveryResponse,
} from "../../mesh/xds/gen/envoy/service/discovery/v3/discovery.ts";
import type { Subscription } from "../../mesh/xds/subscription.ts";
import { AdsConnection, type AdsConnectionDeps } from "./ads-connection.ts";
import { ProxyStatusTable } from "./proxy-status.ts";
import { type AdsRequest, deltaWire, sotwWire, type Wire } from "./wire.ts";

export interface AdsServerOptions extends Omit<AdsConnectionDeps, "table"> {
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

type Handler<Q, S> = handleBidiStreamingCall<Q, S | Uint8Array>;

const MOST_STREAMS = 20_000;

/** How long pushes may keep the event loop from everything else. */
const SLICE_MS = 10;

/**
 * The aggregated discovery service on a source of configuration. A publication reaches all streams in slices, so that
 * many of them do not stop the process; one that comes while a stream still waits for the last is joined with it.
 */
export function adsHandlers(options: AdsServerOptions): AdsServer {
  const { clock, source, mostStreams = MOST_STREAMS } = options;
  const table = new ProxyStatusTable();
  const connections = new Set<AdsConnection>();
  /** Streams that have not seen the latest publication, and when the first of those they missed was (monotonic). */
  const behind = new Map<AdsConnection, number>();
  let pushing: Promise<void> = Promise.resolve();
  let isPushing = false;

  function serve<Q extends AdsRequest, S extends Subscription>(
    call: ServerDuplexStream<Q, unknown>,
    wire: Wire<Q, S>,
  ): void {
    const connection = new AdsConnection({ ...options, table }, call, wire, () => {
      connections.delete(connection);
      behind.delete(connection);
    });
    connections.add(connection);
    if (connections.size > mostStreams) connection.end(status.RESOURCE_EXHAUSTED, "too many streams");
    else connection.open();
  }

  function published(): void {
    const at = clock.monotonic();
    for (const connection of connections) if (!behind.has(connection)) behind.set(connection, at);
    if (isPushing) return;
    isPushing = true;
    pushing = pushAll();
  }

  async function pushAll(): Promise<void> {
    while (behind.size > 0) {
      await nextTurn();
      const sliceEnd = clock.monotonic() + SLICE_MS;
      for (const [connection, at] of behind) {
        behind.delete(connection);
        connection.published(at);
        if (clock.monotonic() >= sliceEnd) break;
      }
    }
    isPushing = false;
  }

  return {
    handlers: {
      deltaAggregatedResources: (call) => serve(call, deltaWire),
      streamAggregatedResources: (call) => serve(call, sotwWire),
    },
    status: table,
    async run(signal) {
      source.onPublish(published, signal);
      const { promise: aborted, resolve } = Promise.withResolvers<void>();
      signal.addEventListener("abort", () => resolve(), { once: true });
      if (signal.aborted) resolve();
      await aborted;
      for (const connection of connections) connection.end(status.UNAVAILABLE, "the server is stopping");
      await pushing;
    },
  };
}
