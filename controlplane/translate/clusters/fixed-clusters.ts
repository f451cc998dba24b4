import {
  Cluster,
  Cluster_DiscoveryType,
  Cluster_LbPolicy,
} from "../../../mesh/xds/gen/envoy/config/cluster/v3/cluster.ts";
import { BindConfig } from "../../../mesh/xds/gen/envoy/config/core/v3/address.ts";
import {
  BLACK_HOLE_CLUSTER,
  DYNAMIC_DNS_CLUSTER,
  INBOUND_PASSTHROUGH_CLUSTER,
  PASSTHROUGH_CLUSTER,
} from "../../../mesh/xds/names.ts";
import { duration } from "../durations.ts";
import type { Scope } from "../memo.ts";
import { connectionPool } from "./connection-pool.ts";
import { dynamicDns } from "./dynamic-dns.ts";
import { originatedTls } from "./originated-tls.ts";

/**
 * From here the proxy calls its own application, so that capture lets the call through. Istio has `::6`, which each host
 * would have to be given first; nobody else calls a host's own IPv6 address from `::1`.
 */
const PASSTHROUGH_SOURCE = { ipv4: "127.0.0.6", ipv6: "::1" } as const;

/** Where calls end that lead nowhere. */
export function blackHoleCluster({ view }: Scope): Cluster {
  return Cluster.fromPartial({
    name: BLACK_HOLE_CLUSTER,
    type: Cluster_DiscoveryType.STATIC,
    connectTimeout: duration(view.settings.connectTimeoutMs),
  });
}

/** Calls to what the mesh does not know go on to the address that was called. */
export function passthroughCluster({ view }: Scope): Cluster {
  const { settings } = view;
  return Cluster.fromPartial({
    name: PASSTHROUGH_CLUSTER,
    type: Cluster_DiscoveryType.ORIGINAL_DST,
    lbPolicy: Cluster_LbPolicy.CLUSTER_PROVIDED,
    ...connectionPool(settings, settings.mesh.defaultTrafficPolicy?.connectionPool, { http: "as-called" }),
  });
}

/** The same for calls that come in at a port that the workload has not declared. */
export function inboundPassthroughCluster(scope: Scope): Cluster {
  return {
    ...passthroughCluster(scope),
    name: INBOUND_PASSTHROUGH_CLUSTER,
    upstreamBindConfig: passthroughBind(),
  };
}

/** Calls to what the mesh does not know go on to the host that they name. */
export function dynamicDnsCluster({ view }: Scope): Cluster {
  const { settings } = view;
  const { unknownHostTls: asked, tlsDefaults: limits, defaultTrafficPolicy } = settings.mesh;
  const called = { isHttp: true, http: "as-called", caller: ANY_HOST, limits } as const;
  const tls = asked && originatedTls(UNKNOWN_HOST, asked, called);
  const auto = { autoSni: tls?.autoSni ?? false, autoSan: tls?.autoSan ?? false };
  return Cluster.fromPartial({
    name: DYNAMIC_DNS_CLUSTER,
    ...dynamicDns(auto),
    ...connectionPool(settings, defaultTrafficPolicy?.connectionPool, { http: "as-called", ...auto }),
    ...(tls && { transportSocket: tls.socket }),
  });
}

/** Only a call says which host it is. */
const UNKNOWN_HOST = { hostname: "*", subjectAltNames: [] } as const;
const ANY_HOST = { namesHosts: true, hasSecrets: false } as const;

export function passthroughBind(): BindConfig {
  const { ipv4, ipv6 } = PASSTHROUGH_SOURCE;
  return BindConfig.fromPartial({
    sourceAddress: { address: ipv4, portValue: 0 },
    extraSourceAddresses: [{ address: { address: ipv6, portValue: 0 } }],
  });
}
