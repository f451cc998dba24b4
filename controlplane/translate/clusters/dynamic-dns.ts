import {
  type Cluster,
  Cluster_DnsLookupFamily,
  Cluster_LbPolicy,
} from "../../../mesh/xds/gen/envoy/config/cluster/v3/cluster.ts";
import { ClusterConfig } from "../../../mesh/xds/gen/envoy/extensions/clusters/dynamic_forward_proxy/v3/cluster.ts";
import { DnsCacheConfig } from "../../../mesh/xds/gen/envoy/extensions/common/dynamic_forward_proxy/v3/dns_cache.ts";
import { FilterConfig } from "../../../mesh/xds/gen/envoy/extensions/filters/http/dynamic_forward_proxy/v3/dynamic_forward_proxy.ts";
import { HttpFilter } from "../../../mesh/xds/gen/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager.ts";
import { pack } from "../any.ts";

const CLUSTER_CONFIG = "envoy.extensions.clusters.dynamic_forward_proxy.v3.ClusterConfig";
const FILTER_CONFIG = "envoy.extensions.filters.http.dynamic_forward_proxy.v3.FilterConfig";

/** The names that were looked up: one store for all services, since one filter looks them up for all of a listener. */
const DNS_CACHE: DnsCacheConfig = DnsCacheConfig.fromPartial({
  name: "dynamic_dns",
  dnsLookupFamily: Cluster_DnsLookupFamily.V4_PREFERRED,
});

/** Looks up the host of each call whose route leads to a `dynamic-dns` service; has to stand before the router. */
export const dynamicForwardProxyFilter: HttpFilter = HttpFilter.fromPartial({
  name: "envoy.filters.http.dynamic_forward_proxy",
  typedConfig: pack(FILTER_CONFIG, FilterConfig, FilterConfig.fromPartial({ dnsCacheConfig: DNS_CACHE })),
});

/** A cluster that calls whatever host the filter has looked up. */
export function dynamicDns(tls: {
  readonly autoSni: boolean;
  readonly autoSan: boolean;
}): Pick<Cluster, "lbPolicy"> & Partial<Pick<Cluster, "clusterType">> {
  const config = ClusterConfig.fromPartial({
    dnsCacheConfig: DNS_CACHE,
    // Envoy refuses to call hosts of the caller's choice unverified, unless it is told to.
    allowInsecureClusterOptions: !(tls.autoSni && tls.autoSan),
  });
  return {
    clusterType: {
      name: "envoy.clusters.dynamic_forward_proxy",
      typedConfig: pack(CLUSTER_CONFIG, ClusterConfig, config),
    },
    lbPolicy: Cluster_LbPolicy.CLUSTER_PROVIDED,
  };
}
