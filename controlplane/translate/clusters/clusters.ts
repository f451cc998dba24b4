import type { Service } from "../../../mesh/model/service.ts";
import type { WorkloadPort } from "../../../mesh/model/workload.ts";
import {
  Cluster,
  Cluster_DiscoveryType,
  Cluster_LbPolicy,
} from "../../../mesh/xds/gen/envoy/config/cluster/v3/cluster.ts";
import { BLACK_HOLE_CLUSTER, inboundClusterName, outboundClusterName } from "../../../mesh/xds/names.ts";
import { destinationPolicy, portPolicy, type RuleReference } from "../../policy/destination-rules.ts";
import { address } from "../addresses.ts";
import { ADS } from "../ads.ts";
import { duration } from "../durations.ts";
import { dnsAssignment } from "../endpoints/assignment.ts";
import type { Scope } from "../memo.ts";
import { isHttp2 } from "../protocols.ts";
import { circuitBreakers, httpOptions, lbPolicy, outlierDetection } from "./traffic-policy.ts";
import { transportSockets } from "./transport-sockets.ts";

/** A port of a service, or a subset of it, and the DestinationRules that say how it is called. */
export interface ClusterOf {
  readonly hostname: string;
  readonly port: number;
  readonly subset: string;
  readonly rules: RuleReference | undefined;
}

export function outboundCluster(scope: Scope, of: ClusterOf): Cluster {
  const { view, warn } = scope;
  const service = view.service(of.hostname);
  const port = service?.ports.find(({ number }) => number === of.port);
  if (service === undefined || port === undefined) {
    throw new Error(`no service port ${of.hostname}:${of.port}`);
  }
  const policies = destinationPolicy(view, of.rules);
  const policy = portPolicy(policies, of.subset, of.port);
  const name = outboundClusterName(of.port, of.subset, of.hostname);
  const balancer = lbPolicy(policy.loadBalancer);
  if (balancer === undefined) {
    warn({
      subject: of.rules?.keys[0] ?? `Service/${of.hostname}`,
      message: `loadBalancer PASSTHROUGH of ${name} needs captured traffic; LEAST_REQUEST is used`,
    });
  }
  return Cluster.fromPartial({
    name,
    ...discovery(scope, service, of, policies.subsets.find((one) => one.name === of.subset)?.labels ?? {}),
    connectTimeout: duration(policy.connectionPool?.connectTimeoutMs ?? view.settings.connectTimeoutMs),
    lbPolicy: balancer ?? Cluster_LbPolicy.LEAST_REQUEST,
    circuitBreakers: circuitBreakers(policy.connectionPool),
    ...httpOptions(isHttp2(port.protocol), policy.connectionPool),
    ...outlierDetection(policy.outlierDetection),
    ...transportSockets(view, service, port, of.subset, policy.tls),
  });
}

/** Whether the endpoints of a service come by EDS. Otherwise its cluster carries the names to look up. */
export function hasAssignment(service: Pick<Service, "resolution">): boolean {
  return service.resolution === "static";
}

/** The application behind one port of the workload. */
export function inboundCluster(port: WorkloadPort, connectTimeoutMs: number): Cluster {
  const name = inboundClusterName(port.servicePort);
  return Cluster.fromPartial({
    name,
    type: Cluster_DiscoveryType.STATIC,
    connectTimeout: duration(connectTimeoutMs),
    circuitBreakers: circuitBreakers(),
    ...httpOptions(isHttp2(port.protocol)),
    loadAssignment: {
      clusterName: name,
      endpoints: [{ lbEndpoints: [{ endpoint: { address: address(port.app.address, port.app.port) } }] }],
    },
  });
}

export function blackHoleCluster(connectTimeoutMs: number): Cluster {
  return Cluster.fromPartial({
    name: BLACK_HOLE_CLUSTER,
    type: Cluster_DiscoveryType.STATIC,
    connectTimeout: duration(connectTimeoutMs),
  });
}

function discovery(
  scope: Scope,
  service: Service,
  { hostname, port, subset }: ClusterOf,
  labels: Readonly<Record<string, string>>,
): Partial<Pick<Cluster, "type" | "edsClusterConfig" | "loadAssignment">> {
  if (hasAssignment(service)) {
    return {
      type: Cluster_DiscoveryType.EDS,
      edsClusterConfig: { edsConfig: ADS, serviceName: outboundClusterName(port, subset, hostname) },
    };
  }
  return {
    type: Cluster_DiscoveryType.STRICT_DNS,
    loadAssignment: dnsAssignment(scope, { hostname, port, subset, labels }),
  };
}
