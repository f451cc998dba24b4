import type { JsonValue } from "../../mesh/xds/json.ts";

/** xDS resources as ProtoJSON, of the forms that the control plane emits; what a test is about, it spells out itself. */

const EXTENSION = "type.googleapis.com/envoy.extensions";
const ads: JsonValue = { ads: {}, resourceApiVersion: "V3" };

type JsonObject = Record<string, JsonValue>;

function extension(name: string, type: string, fields: JsonObject = {}): JsonObject {
  return { name, typedConfig: { "@type": `${EXTENSION}.${type}`, ...fields } };
}

export function address(port: number, host = "127.0.0.1"): JsonObject {
  return { socketAddress: { address: host, portValue: port } };
}

/** Mutual TLS with the SVID and bundle of SDS. `accept`: matchers of the peer's SPIFFE ID. */
function tlsContext(accept: readonly JsonObject[], alpn: readonly string[]): JsonObject {
  return {
    tlsParams: { tlsMinimumProtocolVersion: "TLSv1_2", tlsMaximumProtocolVersion: "TLSv1_3" },
    alpnProtocols: [...alpn],
    tlsCertificateSdsSecretConfigs: [{ name: "default", sdsConfig: ads }],
    combinedValidationContext: {
      defaultValidationContext: {
        matchTypedSubjectAltNames: accept.map((matcher) => ({ sanType: "URI", matcher })),
      },
      validationContextSdsSecretConfig: { name: "ROOTCA", sdsConfig: ads },
    },
  };
}

export function downstreamTls(protocol: "http" | "tcp"): JsonObject {
  return extension("envoy.transport_sockets.tls", "transport_sockets.tls.v3.DownstreamTlsContext", {
    requireClientCertificate: true,
    commonTlsContext: tlsContext(
      [{ prefix: "spiffe://cluster.local/ns/" }],
      protocol === "http" ? ["h2", "http/1.1"] : ["istio"],
    ),
  });
}

export function upstreamTls(serverId: string, protocol: "http" | "tcp" = "http"): JsonObject {
  return extension("envoy.transport_sockets.tls", "transport_sockets.tls.v3.UpstreamTlsContext", {
    sni: "outbound_.80_._.server.default.svc.cluster.local",
    commonTlsContext: tlsContext(
      [{ exact: serverId }],
      protocol === "http" ? ["istio-http/1.1", "istio", "http/1.1"] : ["istio"],
    ),
  });
}

export const rawBuffer: JsonObject = extension(
  "envoy.transport_sockets.raw_buffer",
  "transport_sockets.raw_buffer.v3.RawBuffer",
);

/** TLS with a server outside the mesh. */
export function foreignTls(context: JsonObject, sni = ""): JsonObject {
  return extension("envoy.transport_sockets.tls", "transport_sockets.tls.v3.UpstreamTlsContext", {
    ...(sni === "" ? {} : { sni }),
    commonTlsContext: context,
  });
}

/** A PROXY header before whatever else is said. */
export function proxyProtocol(version: "V1" | "V2", transportSocket: JsonObject = rawBuffer): JsonObject {
  return extension(
    "envoy.transport_sockets.upstream_proxy_protocol",
    "transport_sockets.proxy_protocol.v3.ProxyProtocolUpstreamTransport",
    { config: { version }, transportSocket },
  );
}

/** Of a cluster: how HTTP is spoken to it. */
export function httpOptions(fields: JsonObject): JsonObject {
  const type = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions";
  return {
    typedExtensionProtocolOptions: {
      [type]: {
        "@type": `type.googleapis.com/${type}`,
        explicitHttpConfig: { httpProtocolOptions: {} },
        ...fields,
      },
    },
  };
}

export const tlsInspector: JsonObject = extension(
  "envoy.filters.listener.tls_inspector",
  "filters.listener.tls_inspector.v3.TlsInspector",
);
export const httpInspector: JsonObject = extension(
  "envoy.filters.listener.http_inspector",
  "filters.listener.http_inspector.v3.HttpInspector",
);
export const onDemandFilter: JsonObject = extension(
  "envoy.filters.http.on_demand",
  "filters.http.on_demand.v3.OnDemand",
);
export const router: JsonObject = extension("envoy.filters.http.router", "filters.http.router.v3.Router");
export const faultFilter: JsonObject = extension(
  "envoy.filters.http.fault",
  "filters.http.fault.v3.HTTPFault",
);

export const corsFilter: JsonObject = extension("envoy.filters.http.cors", "filters.http.cors.v3.Cors");

export function httpRbac(rules: JsonObject): JsonObject {
  return extension("envoy.filters.http.rbac", "filters.http.rbac.v3.RBAC", { rules });
}

export function networkRbac(rules: JsonObject): JsonObject {
  return extension("envoy.filters.network.rbac", "filters.network.rbac.v3.RBAC", {
    rules,
    statPrefix: "tcp",
  });
}

export function httpManager(fields: JsonObject): JsonObject {
  return extension(
    "envoy.filters.network.http_connection_manager",
    "filters.network.http_connection_manager.v3.HttpConnectionManager",
    { statPrefix: "http", httpFilters: [router], ...fields },
  );
}

export function tcpProxy(fields: JsonObject): JsonObject {
  return extension("envoy.filters.network.tcp_proxy", "filters.network.tcp_proxy.v3.TcpProxy", {
    statPrefix: "tcp",
    ...fields,
  });
}

/** A route for everything, or whatever else it says. */
export function routeTo(cluster: string, fields: JsonObject = {}, action: JsonObject = {}): JsonObject {
  return { match: { prefix: "/" }, route: { cluster, timeout: "0s", ...action }, ...fields };
}

export function routeConfig(name: string, routes: readonly JsonObject[]): JsonObject {
  return { name, virtualHosts: [{ name, domains: ["*"], routes: [...routes] }] };
}

export type MtlsMode = "STRICT" | "PERMISSIVE" | "DISABLE";

interface InboundOptions {
  readonly port: number;
  readonly mode: MtlsMode;
  readonly cluster: string;
  /** Filters before the router, or before tcp_proxy. */
  readonly filters?: readonly JsonObject[];
  readonly manager?: JsonObject;
}

const ISTIO_ALPN = ["istio-http/1.0", "istio-http/1.1", "istio-h2", "istio", "istio-peer-exchange"];

export function inboundHttp({ port, mode, cluster, filters = [], manager = {} }: InboundOptions): JsonObject {
  const filter = httpManager({
    routeConfig: routeConfig(`inbound|${port}||`, [routeTo(cluster)]),
    httpFilters: [...filters, router],
    normalizePath: true,
    mergeSlashes: true,
    forwardClientCertDetails: "SANITIZE_SET",
    setCurrentClientCertDetails: { subject: true, uri: true },
    ...manager,
  });
  return inbound("http", port, mode, [filter], true);
}

export function inboundTcp({ port, mode, cluster, filters = [] }: InboundOptions): JsonObject {
  return inbound("tcp", port, mode, [...filters, tcpProxy({ cluster })], false);
}

function inbound(
  protocol: "http" | "tcp",
  port: number,
  mode: MtlsMode,
  filters: readonly JsonObject[],
  rejectForeignTls: boolean,
): JsonObject {
  const match = (transportProtocol: string, alpn: readonly string[] = []): JsonObject => ({
    filterChainMatch: { transportProtocol, applicationProtocols: [...alpn] },
  });
  const secure = { transportSocket: downstreamTls(protocol), filters: [...filters] };
  const plain = { filters: [...filters] };
  const chains: Record<MtlsMode, JsonObject[]> = {
    STRICT: [{ ...match("tls"), ...secure }],
    DISABLE: [{ ...match("raw_buffer"), ...plain }],
    PERMISSIVE: [
      { ...match("tls", ISTIO_ALPN), ...secure },
      ...(rejectForeignTls ? [] : [{ ...match("tls"), ...plain }]),
      { ...match("raw_buffer"), ...plain },
    ],
  };
  return {
    name: `127.0.0.1_${port}`,
    address: address(port),
    trafficDirection: "INBOUND",
    listenerFilters: mode === "DISABLE" ? [] : [tlsInspector],
    listenerFiltersTimeout: "0.3s",
    continueOnListenerFiltersTimeout: true,
    filterChains: chains[mode],
  };
}

export function outboundHttp(port: number, routes: string, manager: JsonObject = {}): JsonObject {
  const filter = httpManager({
    rds: { configSource: ads, routeConfigName: routes },
    httpFilters: [faultFilter, router],
    ...manager,
  });
  return {
    name: `127.0.0.1_${port}`,
    address: address(port),
    trafficDirection: "OUTBOUND",
    filterChains: [{ filters: [filter] }],
  };
}

export function outboundTcp(port: number, fields: JsonObject): JsonObject {
  return {
    name: `127.0.0.1_${port}`,
    address: address(port),
    trafficDirection: "OUTBOUND",
    filterChains: [{ filters: [tcpProxy(fields)] }],
  };
}

export function staticCluster(
  name: string,
  ports: readonly number[],
  fields: JsonObject = {},
): JsonObject & { readonly name: string } {
  return {
    name,
    type: "STATIC",
    connectTimeout: "1s",
    loadAssignment: {
      clusterName: name,
      endpoints: [{ lbEndpoints: ports.map((port) => ({ endpoint: { address: address(port) } })) }],
    },
    ...fields,
  };
}

/** EDS, with mTLS to endpoints that say so. */
export function meshCluster(
  name: string,
  serverId: string,
  fields: JsonObject = {},
  protocol: "http" | "tcp" = "http",
): JsonObject {
  return {
    name,
    type: "EDS",
    connectTimeout: "1s",
    lbPolicy: "LEAST_REQUEST",
    edsClusterConfig: { edsConfig: ads },
    transportSocketMatches: [
      {
        name: "tlsMode-istio",
        match: { tlsMode: "istio" },
        transportSocket: upstreamTls(serverId, protocol),
      },
      { name: "tlsMode-disabled", match: {}, transportSocket: rawBuffer },
    ],
    ...fields,
  };
}

export function endpoints(cluster: string, ports: readonly number[], meshed: boolean): JsonObject {
  const metadata: JsonObject = {
    filterMetadata: {
      ...(meshed ? { "envoy.transport_socket_match": { tlsMode: "istio" } } : {}),
      istio: { workload: "server-v1;default;server;v1;dc1" },
    },
  };
  return {
    clusterName: cluster,
    endpoints: [
      {
        lbEndpoints: ports.map((port) => ({
          endpoint: { address: address(port) },
          healthStatus: "HEALTHY",
          metadata,
        })),
      },
    ],
  };
}

export function certificateSecret(svid: { readonly pem: string; readonly keyPem: string }): JsonObject {
  return {
    name: "default",
    tlsCertificate: {
      certificateChain: { inlineString: svid.pem },
      privateKey: { inlineString: svid.keyPem },
    },
  };
}

export function rootsSecret(pem: string): JsonObject {
  return { name: "ROOTCA", validationContext: { trustedCa: { inlineString: pem } } };
}

/** An access log on standard output; Envoy's own format where none is given. */
export function stdoutLog(format?: string): JsonObject {
  return {
    name: "envoy.access_loggers.stdout",
    typedConfig: {
      "@type": "type.googleapis.com/envoy.extensions.access_loggers.stream.v3.StdoutAccessLog",
      ...(format !== undefined && { logFormat: { textFormatSource: { inlineString: format } } }),
    },
  };
}

/** Istio's text format: what went wrong is in it. */
export const ISTIO_FORMAT =
  '[%START_TIME%] "%REQ(:METHOD)% %REQ(X-ENVOY-ORIGINAL-PATH?:PATH)% %PROTOCOL%" %RESPONSE_CODE% %RESPONSE_FLAGS% ' +
  '%RESPONSE_CODE_DETAILS% %CONNECTION_TERMINATION_DETAILS% "%UPSTREAM_TRANSPORT_FAILURE_REASON%" %BYTES_RECEIVED% ' +
  '%BYTES_SENT% %DURATION% %RESP(X-ENVOY-UPSTREAM-SERVICE-TIME)% "%REQ(X-FORWARDED-FOR)%" "%REQ(USER-AGENT)%" ' +
  '"%REQ(X-REQUEST-ID)%" "%REQ(:AUTHORITY)%" "%UPSTREAM_HOST%" %UPSTREAM_CLUSTER% %UPSTREAM_LOCAL_ADDRESS% ' +
  "%DOWNSTREAM_LOCAL_ADDRESS% %DOWNSTREAM_REMOTE_ADDRESS% %REQUESTED_SERVER_NAME% %ROUTE_NAME%\n";
