import { parseNodeId } from "../../../mesh/xds/names.ts";
import { describeWorkload, type Party, textsIn, UNKNOWN } from "./party.ts";

export interface NodeIdentity {
  readonly id: string;
  readonly metadata: Readonly<Record<string, unknown>>;
}

/** This proxy's own workload, with the service that it is of. */
export interface OwnParty extends Party {
  /** Full host name. */
  readonly host: string;
}

/** Describes this proxy's own workload from its node's metadata (`LABELS`, `WORKLOAD_NAME`, `CLUSTER_ID`, …). */
export function describeNode(node: NodeIdentity): (ownId: string | undefined) => OwnParty {
  const name = parseNodeId(node.id);
  const own = textsIn(node.metadata);
  const party = describeWorkload(
    {
      workload: own("WORKLOAD_NAME") ?? name?.name,
      namespace: own("NAMESPACE") ?? name?.namespace,
      cluster: own("CLUSTER_ID"),
    },
    textsIn(node.metadata["LABELS"]),
  );
  const domain = node.id.split("~")[3]?.split(".svc.")[1] ?? "cluster.local";
  const host = `${party.service}.${party.namespace}.svc.${domain}`;
  return (ownId) => ({ ...party, host, principal: ownId ?? UNKNOWN });
}
