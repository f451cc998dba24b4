import { AGENT_CLUSTER } from "../../mesh/xds/names.ts";
import type { DataPlaneNode } from "./data-plane-node.ts";

/** A JSON value that Envoy reads as its Bootstrap message. */
export type EnvoyBootstrap = Readonly<Record<string, unknown>>;

/** Connections at which Envoy stops to accept: far above need, below the descriptors that a unit is given. */
const MOST_DOWNSTREAM_CONNECTIONS = 200_000;

/**
 * What waits for an agent that does not read; then the log of calls is left out (Envoy's default is 256 MiB a stream).
 * It is also how much of a response may be on its way.
 */
const MOST_UNSENT_BYTES = 1 << 20;

const HTTP_PROTOCOL_OPTIONS = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions";

/**
 * Envoy's bootstrap: who it is and the one socket where everything else comes from. Pure; holds no secret and nothing
 * that expires (DESIGN D2), so it never has to be written again while the workload lives.
 */
export function envoyBootstrap(node: DataPlaneNode): EnvoyBootstrap {
  return {
    node: { id: node.id, cluster: node.cluster, metadata: node.metadata },
    admin: { address: { pipe: { path: node.adminSocket, mode: 0o600 } } },
    dynamic_resources: {
      ads_config: {
        api_type: "DELTA_GRPC",
        transport_api_version: "V3",
        set_node_on_first_message_only: true,
        grpc_services: [{ envoy_grpc: { cluster_name: AGENT_CLUSTER } }],
      },
      // Without a time limit Envoy waits for its first configuration instead of going ready with nothing.
      lds_config: { ads: {}, initial_fetch_timeout: "0s", resource_api_version: "V3" },
      cds_config: { ads: {}, initial_fetch_timeout: "0s", resource_api_version: "V3" },
    },
    static_resources: { clusters: [xdsCluster(node.xdsSocket)] },
    layered_runtime: {
      layers: [
        { name: "lateen", static_layer: { "re2.max_program_size.error_level": 32_768 } },
        { name: "admin", admin_layer: {} },
      ],
    },
    overload_manager: {
      resource_monitors: [
        {
          name: "envoy.resource_monitors.global_downstream_max_connections",
          typed_config: {
            "@type":
              "type.googleapis.com/envoy.extensions.resource_monitors.downstream_connections.v3.DownstreamConnectionsConfig",
            max_active_downstream_connections: MOST_DOWNSTREAM_CONNECTIONS,
          },
        },
      ],
    },
  };
}

function xdsCluster(path: string): EnvoyBootstrap {
  return {
    name: AGENT_CLUSTER,
    type: "STATIC",
    connect_timeout: "1s",
    typed_extension_protocol_options: {
      [HTTP_PROTOCOL_OPTIONS]: {
        "@type": `type.googleapis.com/${HTTP_PROTOCOL_OPTIONS}`,
        explicit_http_config: {
          http2_protocol_options: { initial_stream_window_size: MOST_UNSENT_BYTES },
        },
      },
    },
    load_assignment: {
      cluster_name: AGENT_CLUSTER,
      endpoints: [{ lb_endpoints: [{ endpoint: { address: { pipe: { path } } } }] }],
    },
  };
}
