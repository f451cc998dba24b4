import type { Tunnel } from "../../../mesh/model/destination-rule.ts";
import { TcpProxy } from "../../../mesh/xds/gen/envoy/extensions/filters/network/tcp_proxy/v3/tcp_proxy.ts";
import type { Client } from "../../policy/client.ts";
import { destinationPolicy, findDestinationRules } from "../../policy/destination-rules.ts";
import { portPolicy } from "../../policy/port-policy.ts";
import { serviceFor } from "../../policy/services.ts";
import type { SnapshotView } from "../../snapshot/snapshot-view.ts";
import type { ServiceDestination } from "../destinations.ts";
import { duration } from "../durations.ts";

/** What the rules for a destination say of the connections that are handed to its cluster. */
export type TcpSettings = Pick<
  TcpProxy,
  "idleTimeout" | "maxDownstreamConnectionDuration" | "hashPolicy" | "tunnelingConfig"
>;

/** For the listener that calls the cluster: Envoy has no place for these in the cluster itself. */
export function tcpSettings(
  view: SnapshotView,
  client: Client,
  { hostname, port, subset }: ServiceDestination,
): Partial<TcpSettings> {
  const service = serviceFor(view, hostname, client);
  if (service === undefined) return {};
  const rules = destinationPolicy(view, findDestinationRules(view, client, service));
  const policy = portPolicy(rules, subset, port, view.settings.mesh.defaultTrafficPolicy);
  const { tcpIdleTimeoutMs, maxConnectionDurationMs } = policy.connectionPool ?? {};
  const hashed = policy.loadBalancer?.consistentHash?.key.kind === "source-ip";
  const { idleTimeout, maxDownstreamConnectionDuration, hashPolicy, tunnelingConfig } = TcpProxy.fromPartial({
    ...(tcpIdleTimeoutMs !== undefined && { idleTimeout: duration(tcpIdleTimeoutMs) }),
    ...(maxConnectionDurationMs !== undefined && {
      maxDownstreamConnectionDuration: duration(maxConnectionDurationMs),
    }),
    ...(hashed && { hashPolicy: [{ sourceIp: {} }] }),
    ...(policy.tunnel && { tunnelingConfig: tunneling(policy.tunnel) }),
  });
  return { idleTimeout, maxDownstreamConnectionDuration, hashPolicy, tunnelingConfig };
}

/**
 * The same for connections that several destinations share, which have one filter: as in Istio, what the first one's
 * service says as a whole.
 */
export function sharedTcpSettings(
  view: SnapshotView,
  client: Client,
  [first, ...others]: readonly ServiceDestination[],
): Partial<TcpSettings> {
  if (first === undefined) return {};
  return tcpSettings(view, client, others.length === 0 ? first : { ...first, subset: "" });
}

/** The destination is an HTTP proxy: it is asked to connect to the target. */
function tunneling({ protocol, targetHost, targetPort }: Tunnel): {
  readonly hostname: string;
  readonly usePost: boolean;
} {
  const host = targetHost.includes(":") ? `[${targetHost}]` : targetHost;
  return { hostname: `${host}:${targetPort}`, usePost: protocol === "POST" };
}
