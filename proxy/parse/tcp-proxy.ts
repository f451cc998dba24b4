import { TcpProxy as TcpProxyMessage } from "../../mesh/xds/gen/envoy/extensions/filters/network/tcp_proxy/v3/tcp_proxy.ts";
import type { TcpProxy, Tunnel } from "../model/listener.ts";
import { parseAccessLogs } from "./access-log.ts";
import { invalid, onlyFields, unsupported } from "./refuse.ts";
import { decode, fromAds, milliseconds } from "./values.ts";

const DEFAULT_IDLE_TIMEOUT_MS = 3_600_000;
const DEFAULT_LOOKUP_MS = 60_000;

export function parseTcpProxy(parent: string, bytes: Uint8Array): TcpProxy {
  const where = `${parent}: tcp_proxy`;
  const from = decode(where, TcpProxyMessage, bytes);
  onlyFields(where, from, [
    "statPrefix",
    "cluster",
    "weightedClusters",
    "onDemand",
    "idleTimeout",
    "maxDownstreamConnectionDuration",
    "maxConnectAttempts",
    "hashPolicy",
    "tunnelingConfig",
    "accessLog",
  ]);
  const clusters = from.cluster
    ? [{ name: from.cluster, weight: 1 }]
    : (from.weightedClusters?.clusters ?? []).map((cluster) => {
        onlyFields(where, cluster, ["name", "weight"]);
        return { name: cluster.name, weight: cluster.weight };
      });
  if (from.onDemand !== undefined) {
    onlyFields(where, from.onDemand, ["odcdsConfig", "timeout"]);
    fromAds(where, from.onDemand.odcdsConfig);
  }
  if (clusters.every(({ weight }) => weight === 0)) throw invalid(where, "no cluster with a weight above 0");
  return {
    kind: "tcp",
    statPrefix: from.statPrefix,
    clusters,
    idleTimeoutMs: milliseconds(from.idleTimeout, DEFAULT_IDLE_TIMEOUT_MS),
    onDemandMs: from.onDemand && milliseconds(from.onDemand.timeout, DEFAULT_LOOKUP_MS),
    longestMs: milliseconds(from.maxDownstreamConnectionDuration, 0),
    hashesSource: hashesSource(where, from),
    tunnel: parseTunnel(where, from),
    maxConnectAttempts: Math.max(1, from.maxConnectAttempts ?? 1),
    accessLog: parseAccessLogs(where, from.accessLog),
  };
}

function hashesSource(where: string, { hashPolicy: [first, ...others] }: TcpProxyMessage): boolean {
  if (first === undefined) return false;
  if (first.sourceIp === undefined || others.length > 0) {
    throw unsupported(where, "a hash policy that is not the source address alone");
  }
  return true;
}

function parseTunnel(where: string, { tunnelingConfig: from }: TcpProxyMessage): Tunnel | undefined {
  if (from === undefined) return undefined;
  onlyFields(`${where}: tunneling_config`, from, ["hostname", "usePost"]);
  if (from.hostname.includes("%")) throw unsupported(where, `the format command in "${from.hostname}"`);
  if (!/^\S+:\d+$/.test(from.hostname)) throw invalid(where, `a tunnel to "${from.hostname}"`);
  return { target: from.hostname, method: from.usePost ? "POST" : "CONNECT" };
}
