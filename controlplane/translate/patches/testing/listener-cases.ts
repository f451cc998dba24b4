import { filter, lua, type PatchCase, patch } from "./patch-case.ts";

const INBOUND = { context: "SIDECAR_INBOUND" };
const OUTBOUND = { context: "SIDECAR_OUTBOUND" };
const limit = { per_connection_buffer_limit_bytes: 4096 };
const echo = {
  name: "echo",
  address: { socket_address: { address: "127.0.0.1", port_value: 7777 } },
  filter_chains: [{ filters: [filter("envoy.filters.network.echo", "network.echo.v3.Echo")] }],
};
const proxyProtocol = filter(
  "envoy.filters.listener.proxy_protocol",
  "listener.proxy_protocol.v3.ProxyProtocol",
);
const INSPECTOR = "envoy.filters.listener.tls_inspector";
const inspector = filter(INSPECTOR, "listener.tls_inspector.v3.TlsInspector", {
  enable_ja3_fingerprinting: true,
});
const toPassthrough = {
  name: "added",
  filter_chain_match: { destination_port: 9999 },
  filters: [
    filter("envoy.filters.network.tcp_proxy", "network.tcp_proxy.v3.TcpProxy", {
      stat_prefix: "added",
      cluster: "PassthroughCluster",
    }),
  ],
};
const socket = (name: string, config: object): object => ({
  transport_socket: {
    name,
    typed_config: {
      "@type": "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext",
      ...config,
    },
  },
});

export const LISTENER_CASES: readonly PatchCase[] = [
  { name: "MERGE, every listener of a context", patches: [patch("LISTENER", "MERGE", OUTBOUND, limit)] },
  {
    name: "MERGE, by name",
    patches: [patch("LISTENER", "MERGE", { listener: { name: "0.0.0.0_443" } }, limit)],
  },
  {
    name: "MERGE, by port",
    patches: [patch("LISTENER", "MERGE", { ...INBOUND, listener: { portNumber: 15_006 } }, limit)],
  },
  {
    name: "MERGE, the port of a chain is not the listener's",
    patches: [patch("LISTENER", "MERGE", { ...INBOUND, listener: { portNumber: 9080 } }, limit)],
    nothing: true,
  },
  {
    name: "MERGE appends to lists and does not rename",
    patches: [
      patch(
        "LISTENER",
        "MERGE",
        { listener: { name: "0.0.0.0_443" } },
        { name: "x", listener_filters: [proxyProtocol] },
      ),
    ],
  },
  {
    name: "MERGE_AND_REPLACE_LIST replaces lists",
    patches: [
      patch(
        "LISTENER",
        "MERGE_AND_REPLACE_LIST",
        { listener: { name: "0.0.0.0_443" } },
        {
          listener_filters: [inspector, proxyProtocol],
        },
      ),
    ],
  },
  { name: "ADD", patches: [patch("LISTENER", "ADD", OUTBOUND, echo)] },
  { name: "INSERT_FIRST is ADD", patches: [patch("LISTENER", "INSERT_FIRST", {}, echo)] },
  {
    name: "ADD without a name",
    patches: [patch("LISTENER", "ADD", {}, { ...echo, name: "" })],
    nothing: true,
  },
  { name: "REMOVE", patches: [patch("LISTENER", "REMOVE", { listener: { name: "0.0.0.0_9080" } })] },
  {
    name: "what was removed can be added anew",
    patches: [
      patch("LISTENER", "REMOVE", { listener: { portNumber: 9080 } }),
      patch("LISTENER", "ADD", {}, echo),
    ],
  },
  { name: "REPLACE does nothing", patches: [patch("LISTENER", "REPLACE", {}, echo)], nothing: true },
  {
    name: "another context",
    patches: [patch("LISTENER", "MERGE", { context: "GATEWAY" }, limit)],
    nothing: true,
  },
  {
    name: "a gateway's",
    patches: [patch("LISTENER", "MERGE", { context: "GATEWAY" }, limit)],
    role: "gateway",
  },
];

export const LISTENER_FILTER_CASES: readonly PatchCase[] = [
  { name: "ADD", patches: [patch("LISTENER_FILTER", "ADD", INBOUND, proxyProtocol)] },
  { name: "INSERT_FIRST", patches: [patch("LISTENER_FILTER", "INSERT_FIRST", INBOUND, proxyProtocol)] },
  {
    name: "INSERT_BEFORE, by the filter's former name",
    patches: [
      patch(
        "LISTENER_FILTER",
        "INSERT_BEFORE",
        { ...INBOUND, listener: { listenerFilter: "envoy.listener.tls_inspector" } },
        proxyProtocol,
      ),
    ],
  },
  {
    name: "INSERT_AFTER",
    patches: [
      patch(
        "LISTENER_FILTER",
        "INSERT_AFTER",
        { ...INBOUND, listener: { listenerFilter: "envoy.filters.listener.original_dst" } },
        proxyProtocol,
      ),
    ],
  },
  {
    name: "INSERT_AFTER a filter that is not there",
    patches: [
      patch("LISTENER_FILTER", "INSERT_AFTER", { listener: { listenerFilter: "none" } }, proxyProtocol),
    ],
    nothing: true,
  },
  {
    name: "REPLACE",
    patches: [
      patch(
        "LISTENER_FILTER",
        "REPLACE",
        { listener: { name: "0.0.0.0_443", listenerFilter: INSPECTOR } },
        inspector,
      ),
    ],
  },
  {
    name: "MERGE",
    patches: [
      patch(
        "LISTENER_FILTER",
        "MERGE",
        { listener: { name: "0.0.0.0_443", listenerFilter: INSPECTOR } },
        inspector,
      ),
    ],
  },
  {
    name: "REMOVE",
    patches: [
      patch("LISTENER_FILTER", "REMOVE", {
        listener: { name: "0.0.0.0_443", listenerFilter: INSPECTOR },
      }),
    ],
  },
  {
    name: "REMOVE that names no filter",
    patches: [patch("LISTENER_FILTER", "REMOVE", { listener: { name: "0.0.0.0_443" } })],
    nothing: true,
  },
];

export const FILTER_CHAIN_CASES: readonly PatchCase[] = [
  {
    name: "MERGE, by SNI",
    patches: [
      patch(
        "FILTER_CHAIN",
        "MERGE",
        { listener: { filterChain: { sni: "b.example" } } },
        {
          transport_socket_connect_timeout: "3s",
        },
      ),
    ],
  },
  {
    name: "MERGE, by name: the default chain too",
    patches: [
      patch(
        "FILTER_CHAIN",
        "MERGE",
        { listener: { filterChain: { name: "other" } } },
        {
          transport_socket_connect_timeout: "3s",
        },
      ),
    ],
  },
  {
    name: "MERGE, by transport protocol and ALPN",
    patches: [
      patch(
        "FILTER_CHAIN",
        "MERGE",
        {
          listener: {
            filterChain: { transportProtocol: "tls", applicationProtocols: "istio,istio-h2" },
          },
        },
        { transport_socket_connect_timeout: "3s" },
      ),
    ],
  },
  {
    name: "MERGE, an ALPN that the chain does not have",
    patches: [
      patch(
        "FILTER_CHAIN",
        "MERGE",
        { listener: { filterChain: { applicationProtocols: "istio,h3" } } },
        { transport_socket_connect_timeout: "3s" },
      ),
    ],
    nothing: true,
  },
  {
    name: "MERGE, by destination port, and by the port of the listener, which is the chain's",
    patches: [
      patch(
        "FILTER_CHAIN",
        "MERGE",
        { listener: { filterChain: { destinationPort: 9080 } } },
        {
          transport_socket_connect_timeout: "3s",
        },
      ),
      patch(
        "FILTER_CHAIN",
        "MERGE",
        { ...INBOUND, listener: { portNumber: 9080 } },
        {
          metadata: { filter_metadata: { by: { port: 9080 } } },
        },
      ),
    ],
  },
  {
    name: "MERGE of a transport socket goes into the one of its name, and nothing else is looked at",
    patches: [
      patch(
        "FILTER_CHAIN",
        "MERGE",
        { listener: { filterChain: { name: "9080-mesh" } } },
        {
          name: "not this",
          ...socket("envoy.transport_sockets.tls", {
            common_tls_context: {
              alpn_protocols: ["http/1.1"],
              tls_params: { tls_maximum_protocol_version: "TLSv1_3" },
            },
          }),
        },
      ),
    ],
  },
  {
    name: "ADD",
    patches: [patch("FILTER_CHAIN", "ADD", { listener: { name: "virtualInbound" } }, toPassthrough)],
  },
  {
    name: "ADD of a chain that has nothing in it",
    patches: [patch("FILTER_CHAIN", "ADD", { listener: { name: "virtualInbound" } }, { name: "empty" })],
    nothing: true,
  },
  {
    name: "REMOVE",
    patches: [patch("FILTER_CHAIN", "REMOVE", { listener: { filterChain: { sni: "a.example" } } })],
  },
  {
    name: "REMOVE of the default chain",
    patches: [patch("FILTER_CHAIN", "REMOVE", { listener: { filterChain: { name: "other" } } })],
  },
  {
    name: "a filter of HTTP in a chain is no chain",
    patches: [patch("FILTER_CHAIN", "ADD", { listener: { name: "virtualInbound" } }, lua())],
    nothing: true,
  },
];
