import { type Cluster } from "../../../mesh/xds/gen/envoy/config/cluster/v3/cluster.ts";
import { TransportSocket } from "../../../mesh/xds/gen/envoy/config/core/v3/base.ts";
import { ProxyProtocolConfig_Version } from "../../../mesh/xds/gen/envoy/config/core/v3/proxy_protocol.ts";
import { ProxyProtocolUpstreamTransport } from "../../../mesh/xds/gen/envoy/extensions/transport_sockets/proxy_protocol/v3/upstream_proxy_protocol.ts";
import { pack } from "../any.ts";
import { plaintextSocket } from "../tls/mesh-tls.ts";

type Sockets = Partial<Pick<Cluster, "transportSocket" | "transportSocketMatches">>;

const UPSTREAM_TRANSPORT =
  "envoy.extensions.transport_sockets.proxy_protocol.v3.ProxyProtocolUpstreamTransport";

/** The same connections, each beginning with a PROXY header that names the caller. */
export function withProxyProtocol(sockets: Sockets, version: "V1" | "V2"): Sockets {
  const matches = sockets.transportSocketMatches ?? [];
  if (matches.length === 0) {
    return { transportSocket: wrapped(sockets.transportSocket ?? plaintextSocket(), version) };
  }
  return {
    transportSocketMatches: matches.map((match) => ({
      ...match,
      transportSocket: wrapped(match.transportSocket ?? plaintextSocket(), version),
    })),
  };
}

function wrapped(transportSocket: TransportSocket, version: "V1" | "V2"): TransportSocket {
  return TransportSocket.fromPartial({
    name: "envoy.transport_sockets.upstream_proxy_protocol",
    typedConfig: pack(
      UPSTREAM_TRANSPORT,
      ProxyProtocolUpstreamTransport,
      ProxyProtocolUpstreamTransport.fromPartial({
        config: { version: ProxyProtocolConfig_Version[version] },
        transportSocket,
      }),
    ),
  });
}
