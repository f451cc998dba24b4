import type { Cluster } from "../../../mesh/xds/gen/envoy/config/cluster/v3/cluster.ts";
import type { Patch } from "./patch.ts";
import { isMerge, type Patching } from "./patching.ts";

/** The cluster with its patches, or undefined when one removes it. `services`: whose port an inbound cluster is. */
export function patchCluster(
  patching: Patching,
  cluster: Cluster,
  services: readonly string[],
): Cluster | undefined {
  let patched = cluster;
  for (const patch of patching.patches("CLUSTER")) {
    if (!matches(patch, cluster.name, services)) continue;
    if (patch.operation === "REMOVE") return undefined;
    if (isMerge(patch)) patched = mergeCluster(patching, patch, patched);
  }
  return patched;
}

function matches(
  { match: { cluster }, services: meant }: Patch<"CLUSTER">,
  clusterName: string,
  services: readonly string[],
): boolean {
  if (cluster === undefined) return true;
  const { name, portNumber, subset } = cluster;
  if (name !== "") return name === clusterName;
  const parts = clusterParts(clusterName);
  const hosts = parts.inbound && services.length > 0 ? services : [parts.hostname];
  return (
    (subset === "" || subset === parts.subset) &&
    (meant.length === 0 || hosts.some((host) => meant.includes(host))) &&
    (portNumber === undefined || portNumber === parts.port)
  );
}

interface ClusterParts {
  readonly inbound: boolean;
  readonly port: number;
  readonly subset: string;
  readonly hostname: string;
}

/** `outbound|9080|v1|reviews.default.svc.cluster.local`, or that name as an SNI: `outbound_.9080_.v1_.…`. */
function clusterParts(name: string): ClusterParts {
  const [direction, port, subset = "", hostname = ""] = name.includes("|")
    ? name.split("|")
    : name.split("_.");
  return { inbound: direction === "inbound", port: Number(port), subset, hostname };
}

/**
 * A patch with a transport socket changes the socket and nothing else: it is merged into that of its name, be it one of
 * several, or takes the place of the only one.
 */
function mergeCluster(patching: Patching, patch: Patch<"CLUSTER">, cluster: Cluster): Cluster {
  const socket = patch.value?.message.transportSocket;
  // Its name is what routes and endpoints know it by.
  if (socket === undefined) return { ...patching.merge(patch, cluster), name: cluster.name };
  const { transportSocket: only, transportSocketMatches } = cluster;
  if (transportSocketMatches.length > 0) {
    const index = transportSocketMatches.findIndex((one) => one.transportSocket?.name === socket.name);
    const found = transportSocketMatches[index];
    // A socket beside those that are chosen by match would make a cluster that Envoy refuses.
    if (found?.transportSocket === undefined) return cluster;
    const merged = patching.mergeTyped(patch, found.transportSocket, socket);
    return {
      ...cluster,
      transportSocketMatches: transportSocketMatches.with(index, { ...found, transportSocket: merged }),
    };
  }
  const transportSocket = only?.name === socket.name ? patching.mergeTyped(patch, only, socket) : socket;
  return { ...cluster, transportSocket };
}
