import type { Cluster } from "../../mesh/xds/gen/envoy/config/cluster/v3/cluster.ts";
import type { Metadata, TransportSocket } from "../../mesh/xds/gen/envoy/config/core/v3/base.ts";
import { ProxyProtocolUpstreamTransport } from "../../mesh/xds/gen/envoy/extensions/transport_sockets/proxy_protocol/v3/upstream_proxy_protocol.ts";
import { UpstreamTlsContext } from "../../mesh/xds/gen/envoy/extensions/transport_sockets/tls/v3/tls.ts";
import type { UpstreamTransport } from "./verdict.ts";
import { holds, unpack } from "./xds-config.ts";

/** Where Envoy looks for what `transport_socket_matches` ask for. */
const MATCH_KEY = "envoy.transport_socket_match";

/**
 * How an endpoint is spoken to: the first socket whose criteria the endpoint's metadata meet, else the first that its
 * locality's meet, else the cluster's own.
 */
export function transportOf(
  { transportSocketMatches, transportSocket }: Cluster,
  endpoint: Metadata | undefined,
  locality: Metadata | undefined,
): UpstreamTransport {
  const found =
    transportSocketMatches.find(({ match }) => meets(match, endpoint)) ??
    transportSocketMatches.find(({ match }) => locality !== undefined && meets(match, locality));
  return describe(found?.name ?? "", found === undefined ? transportSocket : found.transportSocket);
}

function meets(
  criteria: Readonly<Record<string, unknown>> | undefined,
  metadata: Metadata | undefined,
): boolean {
  const values: Readonly<Record<string, unknown>> = metadata?.filterMetadata[MATCH_KEY] ?? {};
  return Object.entries(criteria ?? {}).every(
    ([key, wanted]) => JSON.stringify(values[key]) === JSON.stringify(wanted),
  );
}

function describe(match: string, socket: TransportSocket | undefined): UpstreamTransport {
  if (socket === undefined || holds(socket.typedConfig, "RawBuffer")) {
    return { match, kind: "plaintext", sni: "", alpn: [] };
  }
  const wrapper = unpack(
    socket.typedConfig,
    "ProxyProtocolUpstreamTransport",
    ProxyProtocolUpstreamTransport,
  );
  if (wrapper !== undefined) return describe(match, wrapper.transportSocket);
  const tls = unpack(socket.typedConfig, "UpstreamTlsContext", UpstreamTlsContext);
  if (tls === undefined) return { match, kind: "other", sni: "", alpn: [] };
  return { match, kind: "tls", sni: tls.sni, alpn: tls.commonTlsContext?.alpnProtocols ?? [] };
}
