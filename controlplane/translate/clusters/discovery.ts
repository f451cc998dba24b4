import { isIP } from "node:net";
import type { Service } from "../../../mesh/model/service.ts";
import {
  type Cluster,
  Cluster_DiscoveryType,
  Cluster_DnsLookupFamily,
  Cluster_LbPolicy,
} from "../../../mesh/xds/gen/envoy/config/cluster/v3/cluster.ts";
import type { ClusterLoadAssignment } from "../../../mesh/xds/gen/envoy/config/endpoint/v3/endpoint.ts";
import type { Client } from "../../policy/client.ts";
import type { PortPolicy } from "../../policy/port-policy.ts";
import type { SnapshotView } from "../../snapshot/snapshot-view.ts";
import { isUnixAddress } from "../addresses.ts";
import { ADS } from "../ads.ts";
import { duration } from "../durations.ts";
import { type AssignmentOf, assignment } from "../endpoints/assignment.ts";
import type { Scope } from "../memo.ts";
import { dynamicDns } from "./dynamic-dns.ts";
import type { OriginatedTls } from "./originated-tls.ts";

/** How the proxy of a client finds the endpoints of a cluster, which some clusters carry themselves. */
export type Discovery =
  | { readonly kind: "eds" | "dynamic-dns" | "original-dst" }
  | { readonly kind: EmbeddingKind; readonly endpoints: AssignmentOf };

export type DiscoveryKind = Discovery["kind"];
type EmbeddingKind = "strict-dns" | "logical-dns";

/** Istio's default. */
const DNS_REFRESH_RATE_MS = 60_000;

/**
 * What a service's resolution means for one client. The address that was called is known only where connections are
 * captured; others look up what there is.
 */
export function discoveryOf(
  view: Pick<SnapshotView, "endpoints">,
  service: Service,
  { loadBalancer }: Pick<PortPolicy, "loadBalancer">,
  client: Pick<Client, "captured" | "role">,
): DiscoveryKind {
  if (service.resolution === "dynamic-dns") return "dynamic-dns";
  const knowsAddress = client.captured && client.role === "sidecar";
  if (knowsAddress && (service.resolution === "none" || loadBalancer?.simple === "PASSTHROUGH")) {
    return "original-dst";
  }
  switch (service.resolution) {
    case "static":
      return "eds";
    case "dns":
      return "strict-dns";
    case "logical-dns":
      return "logical-dns";
    case "none":
      return hasNames(view, service) ? "strict-dns" : "eds";
    default:
      return service.resolution satisfies never;
  }
}

export function embedsEndpoints(kind: DiscoveryKind): kind is EmbeddingKind {
  return kind === "strict-dns" || kind === "logical-dns";
}

type Found = Partial<
  Pick<
    Cluster,
    | "type"
    | "clusterType"
    | "lbPolicy"
    | "edsClusterConfig"
    | "loadAssignment"
    | "dnsLookupFamily"
    | "dnsRefreshRate"
    | "respectDnsTtl"
  >
>;

/** The part of a cluster that says where its endpoints come from. */
export function discovered(
  scope: Scope,
  discovery: Discovery,
  name: string,
  tls: Pick<OriginatedTls, "autoSni" | "autoSan">,
): Found {
  switch (discovery.kind) {
    case "eds":
      return {
        type: Cluster_DiscoveryType.EDS,
        edsClusterConfig: { edsConfig: ADS, serviceName: name },
      };
    case "strict-dns":
      return {
        type: Cluster_DiscoveryType.STRICT_DNS,
        ...lookUps(scope.view),
        loadAssignment: assignment(scope, discovery.endpoints),
      };
    case "logical-dns":
      return logicalDns(scope, discovery.endpoints);
    case "original-dst":
      return { type: Cluster_DiscoveryType.ORIGINAL_DST, lbPolicy: Cluster_LbPolicy.CLUSTER_PROVIDED };
    case "dynamic-dns":
      return dynamicDns(tls);
    default:
      return discovery satisfies never;
  }
}

/** Envoy takes exactly one endpoint here. */
function logicalDns(scope: Scope, of: AssignmentOf): Found {
  const all = assignment(scope, of);
  const dns = { type: Cluster_DiscoveryType.STRICT_DNS, ...lookUps(scope.view), loadAssignment: all };
  const found = all.endpoints.flatMap((group) => group.lbEndpoints.map((endpoint) => ({ group, endpoint })));
  const [first] = found;
  if (first === undefined) return dns;
  if (found.length > 1) {
    const message = `has ${found.length} endpoints; DNS_ROUND_ROBIN is for one name, and the first is taken`;
    scope.warn({ subject: `Service/${of.hostname}`, message });
  }
  const only: ClusterLoadAssignment = {
    ...all,
    endpoints: [{ ...first.group, lbEndpoints: [first.endpoint], priority: 0 }],
  };
  return { ...dns, type: Cluster_DiscoveryType.LOGICAL_DNS, loadAssignment: only };
}

/** IPv4 first: a host without IPv6 would otherwise be led to addresses that it cannot reach. */
function lookUps({ settings }: SnapshotView): Found {
  return {
    dnsLookupFamily: Cluster_DnsLookupFamily.V4_PREFERRED,
    dnsRefreshRate: duration(settings.mesh.dnsRefreshRateMs ?? DNS_REFRESH_RATE_MS),
    respectDnsTtl: true,
  };
}

function hasNames(view: Pick<SnapshotView, "endpoints">, { key }: Service): boolean {
  return view
    .endpoints(key)
    .some(({ targets }) => targets.some(({ address }) => isIP(address) === 0 && !isUnixAddress(address)));
}
