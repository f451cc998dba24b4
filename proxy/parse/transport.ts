import type { TransportSocket } from "../../mesh/xds/gen/envoy/config/core/v3/base.ts";
import { ProxyProtocolConfig_Version as Version } from "../../mesh/xds/gen/envoy/config/core/v3/proxy_protocol.ts";
import { ProxyProtocolUpstreamTransport } from "../../mesh/xds/gen/envoy/extensions/transport_sockets/proxy_protocol/v3/upstream_proxy_protocol.ts";
import type { Transport } from "../model/cluster.ts";
import { onlyFields, required, unsupported } from "./refuse.ts";
import { parseUpstreamTls } from "./tls.ts";
import { anyType, decode } from "./values.ts";

export const RAW_BUFFER_TYPE = "envoy.extensions.transport_sockets.raw_buffer.v3.RawBuffer";
const UPSTREAM_TLS_TYPE = "envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext";
const PROXY_PROTOCOL_TYPE =
  "envoy.extensions.transport_sockets.proxy_protocol.v3.ProxyProtocolUpstreamTransport";

/** How connections to an upstream are made. */
export function parseTransport(parent: string, socket: TransportSocket | undefined): Transport {
  const config = socket?.typedConfig;
  if (config === undefined) return { kind: "plain", proxyProtocol: undefined };
  const where = `${parent}: transport socket "${socket?.name}"`;
  switch (anyType(config)) {
    case RAW_BUFFER_TYPE:
      return { kind: "plain", proxyProtocol: undefined };
    case UPSTREAM_TLS_TYPE:
      return { kind: "tls", tls: parseUpstreamTls(where, config.value), proxyProtocol: undefined };
    case PROXY_PROTOCOL_TYPE:
      return parseProxyProtocol(where, config.value);
    default:
      throw unsupported(parent, `transport socket "${socket?.name}"`);
  }
}

function parseProxyProtocol(where: string, bytes: Uint8Array): Transport {
  const from = decode(where, ProxyProtocolUpstreamTransport, bytes);
  onlyFields(where, from, ["config", "transportSocket"]);
  if (from.config) onlyFields(`${where}: config`, from.config, ["version"]);
  const inner = parseTransport(where, required(where, "transport_socket", from.transportSocket));
  if (inner.proxyProtocol !== undefined) throw unsupported(where, "a PROXY header before another");
  return { ...inner, proxyProtocol: from.config?.version === Version.V2 ? "v2" : "v1" };
}
