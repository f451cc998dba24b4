import type { ConnectionPool } from "../../../mesh/model/destination-rule.ts";
import type { Service } from "../../../mesh/model/service.ts";
import type { SocketAddress } from "../../../mesh/model/workload.ts";
import {
  Cluster,
  Cluster_DiscoveryType,
  Cluster_LbPolicy,
} from "../../../mesh/xds/gen/envoy/config/cluster/v3/cluster.ts";
import { inboundClusterName } from "../../../mesh/xds/names.ts";
import { destinationPolicy, findDestinationRules } from "../../policy/destination-rules.ts";
import { portPolicy } from "../../policy/port-policy.ts";
import { entriesSelecting } from "../../policy/selecting-entries.ts";
import { isVisible } from "../../policy/services.ts";
import { sidecarFor } from "../../policy/sidecars.ts";
import { serviceHostname } from "../../snapshot/host-names.ts";
import { registeredPort } from "../../snapshot/join-service-entry.ts";
import type { SnapshotView, WorkloadConfig } from "../../snapshot/snapshot-view.ts";
import { address } from "../addresses.ts";
import { duration } from "../durations.ts";
import type { InboundPort } from "../inbound/inbound-port.ts";
import type { Scope } from "../memo.ts";
import { isHttp2 } from "../protocols.ts";
import { connectionPool } from "./connection-pool.ts";
import { passthroughBind } from "./fixed-clusters.ts";

/** An application's address is forgotten only when it has not been called for a day; Envoy's default is 5 s. */
const FORGOTTEN_AFTER_MS = 86_400_000;

/**
 * The application behind one port of the workload: at its address, or, where connections are captured, wherever they
 * were going.
 */
export function inboundCluster({ view }: Scope, workload: WorkloadConfig, port: InboundPort): Cluster {
  const name = inboundClusterName(port.number);
  const pool = port.pool ?? ownPool(view, workload, port.number);
  const asCalled = pool?.useClientProtocol || port.protocol === "auto";
  const http = asCalled ? "as-called" : isHttp2(port.protocol) ? "http2" : "http1";
  const cluster = Cluster.fromPartial({ name, ...connectionPool(view.settings, pool, { http }) });
  if (goesOn(view, workload, port)) {
    return {
      ...cluster,
      type: Cluster_DiscoveryType.ORIGINAL_DST,
      lbPolicy: Cluster_LbPolicy.CLUSTER_PROVIDED,
      cleanupInterval: duration(FORGOTTEN_AFTER_MS),
      upstreamBindConfig: passthroughBind(),
    };
  }
  return Cluster.fromPartial({
    ...cluster,
    type: Cluster_DiscoveryType.STATIC,
    // A call to the host's own address would be captured, and come in here again.
    ...(workload.interception !== "none" && !isLocal(port.app) && { upstreamBindConfig: passthroughBind() }),
    loadAssignment: {
      clusterName: name,
      endpoints: [{ lbEndpoints: [{ endpoint: { address: address(port.app.address, port.app.port) } }] }],
    },
  });
}

/** Loopback or a socket: no rule of capture is for it. */
function isLocal({ address: place }: SocketAddress): boolean {
  return place.startsWith("127.") || place === "::1" || place.startsWith("unix://");
}

/** Whether a captured connection keeps its address. Not where somebody has said where the application is. */
function goesOn(view: SnapshotView, workload: WorkloadConfig, port: InboundPort): boolean {
  if (port.binds || view.settings.mesh.inboundTrafficPolicy === "LOCALHOST") return false;
  const ingress = sidecarFor(view, workload)?.spec.ingress.find((one) => one.port.number === port.number);
  if (ingress !== undefined) return ingress.defaultEndpoint === "";
  return port.app.port === port.bind.port;
}

/** What callers of the workload's service are told of its connections holds for the last leg too, as in Istio. */
function ownPool(view: SnapshotView, workload: WorkloadConfig, number: number): ConnectionPool | undefined {
  const { mesh } = view.settings;
  const client = { namespace: workload.namespace, labels: workload.labels };
  for (const { hostname, namespace, port } of placesOf(view, workload, number)) {
    const rules = findDestinationRules(view, client, { hostname, namespace }, "inbound");
    if (rules === undefined) continue;
    return portPolicy(destinationPolicy(view, rules), "", port, mesh.defaultTrafficPolicy).connectionPool;
  }
  return mesh.defaultTrafficPolicy?.connectionPool;
}

/** A port of a service that leads to a port of a workload. */
type ServicePlace = Pick<Service, "hostname" | "namespace"> & { readonly port: number };

/** The workload's own service, then those of ServiceEntries that select it, oldest first. */
function* placesOf(view: SnapshotView, workload: WorkloadConfig, number: number): Iterable<ServicePlace> {
  const { namespace, service } = workload;
  if (service !== "") {
    yield { hostname: serviceHostname(service, namespace, view.settings), namespace, port: number };
  }
  for (const { spec } of entriesSelecting(view, workload)) {
    if (!isVisible(view, { exportTo: spec.exportTo, namespace }, namespace)) continue;
    for (const port of spec.ports) {
      const target = registeredPort(workload, port)?.servicePort ?? port.targetPort ?? port.number;
      if (target !== number) continue;
      for (const host of spec.hosts) yield { hostname: host.toLowerCase(), namespace, port: port.number };
    }
  }
}
