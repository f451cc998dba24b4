import {
  type Cluster as ClusterMessage,
  type Cluster_CustomClusterType as ClusterType,
  Cluster_DiscoveryType as DiscoveryType,
  Cluster_DnsLookupFamily as Family,
  Cluster_LbPolicy as LbPolicy,
} from "../../mesh/xds/gen/envoy/config/cluster/v3/cluster.ts";
import { ClusterConfig as DynamicDns } from "../../mesh/xds/gen/envoy/extensions/clusters/dynamic_forward_proxy/v3/cluster.ts";
import type { DnsCacheConfig } from "../../mesh/xds/gen/envoy/extensions/common/dynamic_forward_proxy/v3/dns_cache.ts";
import type { Cluster, DnsSource } from "../model/cluster.ts";
import { readEndpoints } from "./endpoints.ts";
import { invalid, nameOf, onlyFields, required, unsupported } from "./refuse.ts";
import { anyType, decode, fromAds, milliseconds } from "./values.ts";

const DYNAMIC_DNS_TYPE = "envoy.extensions.clusters.dynamic_forward_proxy.v3.ClusterConfig";
/** Envoy's default. */
const DNS_REFRESH_MS = 5000;
/** Envoy's default. */
const FORGET_MS = 5000;

const FAMILIES: ReadonlyMap<Family, DnsSource["family"]> = new Map([
  [Family.V4_ONLY, "v4"],
  [Family.V6_ONLY, "v6"],
  [Family.V4_PREFERRED, "v4-first"],
  [Family.AUTO, "v6-first"],
  [Family.ALL, "all"],
]);

export function parseSource(where: string, from: ClusterMessage): Cluster["source"] {
  if (from.clusterType) return parseDynamicDns(where, from.clusterType);
  switch (from.type ?? DiscoveryType.STATIC) {
    case DiscoveryType.STATIC:
      return { kind: "static", endpoints: embedded(where, from, "addresses") };
    case DiscoveryType.EDS: {
      const eds = required(where, "eds_cluster_config", from.edsClusterConfig);
      fromAds(where, eds.edsConfig);
      return { kind: "eds", service: eds.serviceName || from.name };
    }
    case DiscoveryType.STRICT_DNS:
      return parseDns(where, from, false);
    case DiscoveryType.LOGICAL_DNS:
      return parseDns(where, from, true);
    case DiscoveryType.ORIGINAL_DST: {
      if (from.lbPolicy !== LbPolicy.CLUSTER_PROVIDED)
        throw invalid(where, "ORIGINAL_DST with a load balancing policy of its own");
      const forgetMs = milliseconds(from.cleanupInterval, FORGET_MS) || FORGET_MS;
      return { kind: "original-destination", forgetMs };
    }
    default:
      throw unsupported(where, `discovery type ${nameOf(DiscoveryType, from.type)}`);
  }
}

/**
 * The system's resolver tells no time to live, so that `respect_dns_ttl` is not obeyed: names are looked up again at
 * the refresh rate, and sooner after a failure.
 */
function parseDns(where: string, from: ClusterMessage, logical: boolean): DnsSource {
  const endpoints = embedded(where, from, "names");
  if (logical && endpoints.length !== 1)
    throw invalid(where, `LOGICAL_DNS with ${endpoints.length} endpoints`);
  const family = parseFamily(where, from.dnsLookupFamily);
  const refreshMs = milliseconds(from.dnsRefreshRate, DNS_REFRESH_MS);
  if (refreshMs < 1) throw invalid(where, `a DNS refresh rate of ${refreshMs} ms`);
  return { kind: "dns", endpoints, logical, refreshMs, family };
}

function parseDynamicDns(where: string, { name, typedConfig }: ClusterType): Cluster["source"] {
  if (typedConfig === undefined || anyType(typedConfig) !== DYNAMIC_DNS_TYPE)
    throw unsupported(where, `cluster type "${name}"`);
  const config = decode(where, DynamicDns, typedConfig.value);
  onlyFields(`${where}: ${name}`, config, ["dnsCacheConfig", "allowInsecureClusterOptions"]);
  return { kind: "dynamic-dns", family: parseDnsCache(`${where}: ${name}`, config.dnsCacheConfig) };
}

/** What a cluster, and the filter that Envoy has look up names for it, say of the names. */
export function parseDnsCache(where: string, from: DnsCacheConfig | undefined): DnsSource["family"] {
  const cache = required(where, "dns_cache_config", from);
  onlyFields(`${where}: dns_cache_config`, cache, ["name", "dnsLookupFamily"]);
  return parseFamily(where, cache.dnsLookupFamily);
}

function parseFamily(where: string, from: Family): DnsSource["family"] {
  const family = FAMILIES.get(from);
  if (family === undefined) throw unsupported(where, `dns_lookup_family ${from}`);
  return family;
}

function embedded(
  where: string,
  { loadAssignment }: ClusterMessage,
  addresses: "addresses" | "names",
): ReturnType<typeof readEndpoints> {
  return loadAssignment ? readEndpoints(where, loadAssignment, addresses) : [];
}
