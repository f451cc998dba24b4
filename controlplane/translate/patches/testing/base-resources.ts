import { readFileSync } from "node:fs";
import type { EncodedResource } from "../../../../mesh/xds/encoded-resource.ts";
import { Cluster } from "../../../../mesh/xds/gen/envoy/config/cluster/v3/cluster.ts";
import { Listener } from "../../../../mesh/xds/gen/envoy/config/listener/v3/listener.ts";
import { RouteConfiguration } from "../../../../mesh/xds/gen/envoy/config/route/v3/route.ts";
import { createXdsJson, type JsonValue, type XdsJson } from "../../../../mesh/xds/json.ts";
import { DESCRIPTORS_URL, MessageTypes } from "../../../../mesh/xds/message-types.ts";
import { TYPE_URL, type TypeUrl } from "../../../../mesh/xds/type-urls.ts";
import { encodedResource } from "../../encode.ts";

export const types: MessageTypes = new MessageTypes(() => readFileSync(DESCRIPTORS_URL));
export const json: XdsJson = createXdsJson(types);

type Json = { readonly [key: string]: JsonValue };

/** The resources of one proxy before any patch, by type. */
export type BaseResources = ReadonlyMap<TypeUrl, readonly EncodedResource[]>;

const GOOGLE = "type.googleapis.com";
const MANAGER = `${GOOGLE}/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager`;
const REVIEWS = "reviews.default.svc.cluster.local";

const address = (ip: string, portValue: number): Json => ({ socketAddress: { address: ip, portValue } });
const listenerFilter = (name: string): Json => ({
  name: `envoy.filters.listener.${name}`,
  typedConfig: {
    "@type": `${GOOGLE}/envoy.extensions.filters.listener.${name}.v3.${name === "original_dst" ? "OriginalDst" : "TlsInspector"}`,
  },
});
const httpFilter = (name: string, message: string): Json => ({
  name: `envoy.filters.http.${name}`,
  typedConfig: { "@type": `${GOOGLE}/envoy.extensions.filters.http.${name}.v3.${message}` },
});
const manager = (routes: Json, ...httpFilters: readonly Json[]): Json => ({
  name: "envoy.filters.network.http_connection_manager",
  typedConfig: {
    "@type": MANAGER,
    statPrefix: "http",
    httpFilters: [...httpFilters, httpFilter("router", "Router")],
    ...routes,
  },
});
const rds = (routeConfigName: string): Json => ({
  rds: { routeConfigName, configSource: { ads: {}, resourceApiVersion: "V3" } },
});
const tcp = (cluster: string): Json => ({
  name: "envoy.filters.network.tcp_proxy",
  typedConfig: {
    "@type": `${GOOGLE}/envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy`,
    statPrefix: "tcp",
    cluster,
  },
});

const inboundRoutes: Json = {
  routeConfig: {
    name: "inbound|9080||",
    virtualHosts: [
      {
        name: "inbound|http|9080",
        domains: ["*"],
        routes: [{ name: "default", match: { prefix: "/" }, route: { cluster: "inbound|9080||" } }],
      },
    ],
  },
};

const tlsSocket: Json = {
  name: "envoy.transport_sockets.tls",
  typedConfig: {
    "@type": `${GOOGLE}/envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext`,
    commonTlsContext: {
      alpnProtocols: ["h2"],
      tlsParams: { tlsMinimumProtocolVersion: "TLSv1_2" },
      tlsCertificateSdsSecretConfigs: [{ name: "default", sdsConfig: { ads: {}, resourceApiVersion: "V3" } }],
    },
    requireClientCertificate: true,
  },
};

const INBOUND: Json = {
  name: "virtualInbound",
  address: address("0.0.0.0", 15_006),
  trafficDirection: "INBOUND",
  listenerFilters: [listenerFilter("original_dst"), listenerFilter("tls_inspector")],
  filterChains: [
    {
      name: "9080-mesh",
      filterChainMatch: {
        destinationPort: 9080,
        transportProtocol: "tls",
        applicationProtocols: ["istio", "istio-h2"],
      },
      transportSocket: tlsSocket,
      filters: [manager(inboundRoutes)],
    },
    {
      name: "9080-plaintext",
      filterChainMatch: { destinationPort: 9080, transportProtocol: "raw_buffer" },
      filters: [manager(inboundRoutes)],
    },
    { name: "catchall", filters: [tcp("InboundPassthroughCluster")] },
  ],
};

const OUTBOUND_HTTP: Json = {
  name: "0.0.0.0_9080",
  address: address("0.0.0.0", 9080),
  trafficDirection: "OUTBOUND",
  filterChains: [
    {
      name: "http",
      filters: [manager(rds("9080"), httpFilter("cors", "Cors"), httpFilter("fault", "HTTPFault"))],
    },
  ],
};

const OUTBOUND_TLS: Json = {
  name: "0.0.0.0_443",
  address: address("0.0.0.0", 443),
  trafficDirection: "OUTBOUND",
  listenerFilters: [listenerFilter("tls_inspector")],
  filterChains: ["a.example", "b.example"].map((host) => ({
    name: host,
    filterChainMatch: { serverNames: [host] },
    filters: [tcp(`outbound|443||${host}`)],
  })),
  defaultFilterChain: { name: "other", filters: [tcp("PassthroughCluster")] },
};

const EDGE: Json = {
  name: "0.0.0.0_80",
  address: address("0.0.0.0", 80),
  trafficDirection: "OUTBOUND",
  filterChains: [{ name: "http", filters: [manager(rds("http.80"))] }],
};

const cluster = (name: string, more: Json = {}): Json => ({
  name,
  type: "STATIC",
  connectTimeout: "10s",
  loadAssignment: { clusterName: name },
  ...more,
});

const upstreamTls: Json = {
  name: "envoy.transport_sockets.tls",
  typedConfig: {
    "@type": `${GOOGLE}/envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext`,
    commonTlsContext: { alpnProtocols: ["istio"] },
    sni: "reviews",
  },
};

const rawSocket: Json = {
  name: "envoy.transport_sockets.raw_buffer",
  typedConfig: { "@type": `${GOOGLE}/envoy.extensions.transport_sockets.raw_buffer.v3.RawBuffer` },
};

const CLUSTERS: readonly Json[] = [
  cluster(`outbound|9080||${REVIEWS}`, {
    circuitBreakers: { thresholds: [{ maxConnections: 10 }] },
    transportSocketMatches: [
      { name: "mesh", match: { tlsMode: "istio" }, transportSocket: upstreamTls },
      { name: "plaintext", match: {}, transportSocket: rawSocket },
    ],
  }),
  cluster(`outbound|9080|v1|${REVIEWS}`),
  cluster("outbound|443||a.example", { transportSocket: upstreamTls }),
  cluster("outbound|443||b.example"),
  cluster("PassthroughCluster"),
  cluster("BlackHoleCluster"),
  cluster("inbound|9080||"),
  cluster("InboundPassthroughCluster"),
];

const reviewsHost: Json = {
  name: `${REVIEWS}:9080`,
  domains: [REVIEWS, "reviews"],
  routes: [
    { name: "old", match: { prefix: "/old" }, redirect: { pathRedirect: "/new" } },
    { name: "teapot", match: { prefix: "/tea" }, directResponse: { status: 418 } },
    {
      name: "canary",
      match: { prefix: "/" },
      route: { cluster: `outbound|9080||${REVIEWS}`, timeout: "0s", retryPolicy: { numRetries: 2 } },
    },
  ],
};

const anyHost: Json = {
  name: "allow_any",
  domains: ["*"],
  routes: [{ name: "allow_any", match: { prefix: "/" }, route: { cluster: "PassthroughCluster" } }],
};

const routes = (name: string, ...virtualHosts: readonly Json[]): Json => ({
  name,
  virtualHosts: [...virtualHosts],
  validateClusters: false,
});

/** The bytes as a translation has them: other encoders put fields in another order. */
const CODECS: Readonly<Partial<Record<TypeUrl, (bytes: Uint8Array) => Uint8Array>>> = {
  [TYPE_URL.cluster]: (bytes) => Cluster.encode(Cluster.decode(bytes)).finish(),
  [TYPE_URL.listener]: (bytes) => Listener.encode(Listener.decode(bytes)).finish(),
  [TYPE_URL.route]: (bytes) => RouteConfiguration.encode(RouteConfiguration.decode(bytes)).finish(),
};

/** A sidecar of the service reviews with captured traffic, as far as patches look at it. */
export const SIDECAR: BaseResources = encoded([
  [TYPE_URL.cluster, CLUSTERS],
  [TYPE_URL.listener, [INBOUND, OUTBOUND_HTTP, OUTBOUND_TLS]],
  [TYPE_URL.route, [routes("9080", reviewsHost, anyHost)]],
]);

export const GATEWAY: BaseResources = encoded([
  [TYPE_URL.cluster, CLUSTERS.slice(0, 2)],
  [TYPE_URL.listener, [EDGE]],
  [
    TYPE_URL.route,
    [routes("http.80", reviewsHost), routes("https.443.https.edge.istio-system", reviewsHost)],
  ],
]);

function encoded(byType: readonly (readonly [TypeUrl, readonly Json[]])[]): BaseResources {
  return new Map(
    byType.map(([type, messages]) => [
      type,
      messages.map((message) => {
        const bytes = json.jsonToResource(type, message);
        const { name } = message;
        return encodedResource(typeof name === "string" ? name : "", CODECS[type]?.(bytes) ?? bytes);
      }),
    ]),
  );
}
