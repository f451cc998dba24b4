import { readFileSync } from "node:fs";
import { Cluster } from "../../../mesh/xds/gen/envoy/config/cluster/v3/cluster.ts";
import { ClusterLoadAssignment } from "../../../mesh/xds/gen/envoy/config/endpoint/v3/endpoint.ts";
import { Listener } from "../../../mesh/xds/gen/envoy/config/listener/v3/listener.ts";
import { RouteConfiguration } from "../../../mesh/xds/gen/envoy/config/route/v3/route.ts";
import { createXdsJson, DESCRIPTORS_URL } from "../../../mesh/xds/json.ts";
import { TYPE_URL, type TypeUrl } from "../../../mesh/xds/type-urls.ts";
import type { XdsConfig } from "../xds-config.ts";

export type Json = { readonly [key: string]: unknown };

export interface JsonResources {
  readonly listeners?: readonly Json[];
  readonly routes?: readonly Json[];
  readonly clusters?: readonly Json[];
  readonly assignments?: readonly Json[];
}

const xdsJson = createXdsJson(() => readFileSync(DESCRIPTORS_URL));

/** Resources written as ProtoJSON, as the simulator takes them. */
export function configOf({
  listeners = [],
  routes = [],
  clusters = [],
  assignments = [],
}: JsonResources): XdsConfig {
  const decoded = <T>(type: TypeUrl, codec: { decode(bytes: Uint8Array): T }, list: readonly Json[]): T[] =>
    list.map((one) => codec.decode(xdsJson.jsonToResource(type, one as never)));
  const named = <T extends { readonly name: string }>(list: readonly T[]): Map<string, T> =>
    new Map(list.map((one) => [one.name, one]));
  return {
    listeners: named(decoded(TYPE_URL.listener, Listener, listeners)),
    routes: named(decoded(TYPE_URL.route, RouteConfiguration, routes)),
    clusters: named(decoded(TYPE_URL.cluster, Cluster, clusters)),
    assignments: new Map(
      decoded(TYPE_URL.endpoints, ClusterLoadAssignment, assignments).map((one) => [one.clusterName, one]),
    ),
  };
}

const TYPES = "type.googleapis.com/envoy.extensions";

export function httpManager(routeConfig: Json, over: Json = {}): Json {
  return {
    name: "http",
    typedConfig: {
      "@type": `${TYPES}.filters.network.http_connection_manager.v3.HttpConnectionManager`,
      statPrefix: "test",
      ...("rds" in over ? {} : { routeConfig }),
      httpFilters: [ROUTER],
      ...over,
    },
  };
}

const ROUTER: Json = {
  name: "envoy.filters.http.router",
  typedConfig: { "@type": `${TYPES}.filters.http.router.v3.Router` },
};

const FAULT: Json = {
  name: "envoy.filters.http.fault",
  typedConfig: { "@type": `${TYPES}.filters.http.fault.v3.HTTPFault` },
};

const CORS: Json = {
  name: "envoy.filters.http.cors",
  typedConfig: { "@type": `${TYPES}.filters.http.cors.v3.Cors` },
};

export const FILTERS_WITH_EXTRAS: readonly Json[] = [CORS, FAULT, ROUTER];

export function tcpProxy(target: Json): Json {
  return {
    name: "tcp",
    typedConfig: { "@type": `${TYPES}.filters.network.tcp_proxy.v3.TcpProxy`, statPrefix: "test", ...target },
  };
}

export const TLS_INSPECTOR: Json = {
  name: "envoy.filters.listener.tls_inspector",
  typedConfig: { "@type": `${TYPES}.filters.listener.tls_inspector.v3.TlsInspector` },
};

export const HTTP_INSPECTOR: Json = {
  name: "envoy.filters.listener.http_inspector",
  typedConfig: { "@type": `${TYPES}.filters.listener.http_inspector.v3.HttpInspector` },
};

export function downstreamTls(commonTlsContext: Json = {}, over: Json = {}): Json {
  return {
    name: "envoy.transport_sockets.tls",
    typedConfig: {
      "@type": `${TYPES}.transport_sockets.tls.v3.DownstreamTlsContext`,
      commonTlsContext,
      ...over,
    },
  };
}

export function upstreamTls(sni: string): Json {
  return {
    name: "envoy.transport_sockets.tls",
    typedConfig: { "@type": `${TYPES}.transport_sockets.tls.v3.UpstreamTlsContext`, sni },
  };
}

export const RAW_BUFFER: Json = {
  name: "envoy.transport_sockets.raw_buffer",
  typedConfig: { "@type": `${TYPES}.transport_sockets.raw_buffer.v3.RawBuffer` },
};

export function listener(name: string, address: string, port: number, over: Json = {}): Json {
  return { name, address: socket(address, port), ...over };
}

export function socket(address: string, portValue: number): Json {
  return { socketAddress: { address, portValue } };
}

/** One virtual host that takes all, unless told otherwise. */
export function routeConfig(name: string, routes: readonly Json[], over: Json = {}): Json {
  return { name, virtualHosts: [{ name: "all", domains: ["*"], routes }], ...over };
}

/** A route that answers with its own name, in the body and (gRPC callers get no body) in a header. */
export function named(name: string, match: Json, over: Json = {}): Json {
  return {
    name,
    match,
    directResponse: { status: 200, body: { inlineString: name } },
    responseHeadersToAdd: [{ header: { key: "x-route", value: name } }],
    ...over,
  };
}

export function staticCluster(name: string, ports: readonly number[], over: Json = {}): Json {
  const lbEndpoints = ports.map((port) => ({ endpoint: { address: socket("127.0.0.1", port) } }));
  return {
    name,
    type: "STATIC",
    connectTimeout: "1s",
    loadAssignment: { clusterName: name, endpoints: [{ lbEndpoints }] },
    ...over,
  };
}
