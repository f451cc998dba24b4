import { type PatchCase, patch } from "./patch-case.ts";

const REVIEWS = "reviews.default.svc.cluster.local";
const OUTBOUND = { context: "SIDECAR_OUTBOUND" };
const by = (cluster: object, context = "ANY"): object => ({ context, cluster });
const timeout = { connect_timeout: "2s" };
const static1 = {
  name: "extra",
  type: "STATIC",
  connect_timeout: "1s",
  load_assignment: { cluster_name: "extra", endpoints: [] },
};
const tls = (name: string): object => ({
  connect_timeout: "2s",
  transport_socket: {
    name,
    typed_config: {
      "@type": "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext",
      common_tls_context: { alpn_protocols: ["h2"], tls_params: { tls_minimum_protocol_version: "TLSv1_3" } },
    },
  },
});
const TLS = "envoy.transport_sockets.tls";

export const CLUSTER_CASES: readonly PatchCase[] = [
  { name: "MERGE, every cluster of a context", patches: [patch("CLUSTER", "MERGE", OUTBOUND, timeout)] },
  { name: "MERGE, inbound", patches: [patch("CLUSTER", "MERGE", { context: "SIDECAR_INBOUND" }, timeout)] },
  {
    name: "MERGE, by service",
    patches: [patch("CLUSTER", "MERGE", by({ service: REVIEWS }, "SIDECAR_OUTBOUND"), timeout)],
  },
  {
    name: "MERGE, by the service behind an inbound port",
    patches: [
      patch("CLUSTER", "MERGE", by({ service: REVIEWS, portNumber: 9080 }, "SIDECAR_INBOUND"), timeout),
    ],
  },
  { name: "MERGE, by subset", patches: [patch("CLUSTER", "MERGE", by({ subset: "v1" }), timeout)] },
  { name: "MERGE, by port", patches: [patch("CLUSTER", "MERGE", by({ portNumber: 443 }), timeout)] },
  {
    name: "MERGE, by name: the rest of the match is not looked at",
    patches: [patch("CLUSTER", "MERGE", by({ name: "PassthroughCluster", service: "none" }), timeout)],
  },
  {
    name: "MERGE, another service's",
    patches: [patch("CLUSTER", "MERGE", by({ service: "none" }), timeout)],
    nothing: true,
  },
  {
    name: "MERGE appends to lists, keeps the name, and replaces entries of maps",
    patches: [
      patch("CLUSTER", "MERGE", by({ service: REVIEWS, subset: "" }, "SIDECAR_OUTBOUND"), {
        name: "not this",
        circuit_breakers: { thresholds: [{ priority: "HIGH", max_connections: 5 }] },
        typed_extension_protocol_options: {
          "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
            "@type": "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions",
            explicit_http_config: { http2_protocol_options: { max_concurrent_streams: 9 } },
          },
        },
      }),
    ],
  },
  {
    name: "MERGE_AND_REPLACE_LIST",
    patches: [
      patch(
        "CLUSTER",
        "MERGE_AND_REPLACE_LIST",
        by({ portNumber: 9080, service: REVIEWS }, "SIDECAR_OUTBOUND"),
        {
          circuit_breakers: { thresholds: [{ max_requests: 5 }] },
        },
      ),
    ],
  },
  {
    name: "MERGE of a transport socket goes into the one of its name, and nothing else is looked at",
    patches: [patch("CLUSTER", "MERGE", by({ service: "a.example" }), tls(TLS))],
  },
  {
    name: "MERGE of a transport socket, among several",
    patches: [patch("CLUSTER", "MERGE", by({ name: `outbound|9080||${REVIEWS}` }), tls(TLS))],
  },
  {
    name: "MERGE of a transport socket that is none of several",
    patches: [patch("CLUSTER", "MERGE", by({ name: `outbound|9080||${REVIEWS}` }), tls("other"))],
    nothing: true,
  },
  {
    name: "MERGE of a transport socket, in the place of another and where there was none",
    patches: [patch("CLUSTER", "MERGE", by({ portNumber: 443 }), tls("other"))],
  },
  { name: "ADD", patches: [patch("CLUSTER", "ADD", {}, static1)] },
  { name: "ADD, inbound", patches: [patch("CLUSTER", "ADD", { context: "SIDECAR_INBOUND" }, static1)] },
  { name: "INSERT_BEFORE is ADD", patches: [patch("CLUSTER", "INSERT_BEFORE", {}, static1)] },
  {
    name: "ADD for gateways",
    patches: [patch("CLUSTER", "ADD", { context: "GATEWAY" }, static1)],
    nothing: true,
  },
  { name: "REMOVE", patches: [patch("CLUSTER", "REMOVE", by({ service: REVIEWS }, "SIDECAR_OUTBOUND"))] },
  {
    name: "REPLACE does nothing",
    patches: [patch("CLUSTER", "REPLACE", by({ service: REVIEWS }), static1)],
    nothing: true,
  },
  {
    name: "a field of a newer Envoy is left out",
    patches: [patch("CLUSTER", "MERGE", by({ subset: "v1" }), { ...timeout, no_such_field: { a: 1 } })],
  },
  {
    name: "a value that is none",
    patches: [patch("CLUSTER", "MERGE", by({ subset: "v1" }), { connect_timeout: "soon" })],
    nothing: true,
  },
  {
    name: "a type that nobody knows",
    patches: [
      patch("CLUSTER", "MERGE", by({ subset: "v1" }), {
        transport_socket: { name: "x", typed_config: { "@type": "type.googleapis.com/no.such.Type" } },
      }),
    ],
    nothing: true,
  },
];

export const OTHER_CASES: readonly PatchCase[] = [
  {
    name: "EXTENSION_CONFIG ADD",
    patches: [
      patch(
        "EXTENSION_CONFIG",
        "ADD",
        {},
        {
          name: "lua-config",
          typed_config: {
            "@type": "type.googleapis.com/envoy.extensions.filters.http.lua.v3.Lua",
            default_source_code: { inline_string: "--" },
          },
        },
      ),
    ],
  },
  {
    name: "EXTENSION_CONFIG REMOVE does nothing",
    patches: [patch("EXTENSION_CONFIG", "REMOVE", {})],
    nothing: true,
  },
  {
    name: "BOOTSTRAP cannot be applied",
    patches: [patch("BOOTSTRAP", "MERGE", {}, { stats_flush_interval: "1s" })],
    nothing: true,
  },
];
