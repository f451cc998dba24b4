import { Struct } from "../../../mesh/xds/gen/google/protobuf/struct.ts";
import { describeNode, type NodeIdentity } from "./own-party.ts";
import { describeWorkload, type PeerWorkload, textsIn } from "./party.ts";

/** Istio's: how proxies tell each other of what workload they are. Never believed but of a peer that has shown who it is. */
export const PEER_METADATA = "x-envoy-peer-metadata";

const SAID = ["NAME", "SERVICE_ACCOUNT", "CLUSTER_ID", "MESH_ID"] as const;
const SAID_LABELS = [
  "app",
  "version",
  "app.kubernetes.io/name",
  "app.kubernetes.io/version",
  "service.istio.io/canonical-name",
  "service.istio.io/canonical-revision",
] as const;
const LONGEST = 8192;
/** Of one value: those of Kubernetes' names are no longer, and each stands in every line of many series. */
const LONGEST_VALUE = 253;
const NAMESPACE = /^spiffe:\/\/[^/]+\/ns\/([^/]+)\/sa\//;

/** What this proxy says of its own workload: a Struct in base64, as Istio's proxies write it. */
export function ownMetadata(node: NodeIdentity): string {
  const { metadata } = node;
  const { workload, namespace } = describeNode(node)(undefined);
  const own = textsIn(metadata);
  const labels = textsIn(metadata["LABELS"]);
  const pick = (names: readonly string[], of: typeof own): Record<string, string> =>
    Object.fromEntries(
      names.flatMap((name) => {
        const value = of(name);
        return value === undefined ? [] : [[name, value] as const];
      }),
    );
  const said = {
    ...pick(SAID, own),
    NAMESPACE: namespace,
    WORKLOAD_NAME: workload,
    LABELS: pick(SAID_LABELS, labels),
  };
  return Buffer.from(Struct.encode(Struct.wrap(said)).finish()).toString("base64");
}

/**
 * What the proxy at the other end says of its workload. Undefined: nothing, or what its identity, `spiffeId`, does not
 * bear out.
 */
export function readPeerMetadata(value: string | undefined, spiffeId: string): PeerWorkload | undefined {
  if (value === undefined || value.length > LONGEST) return undefined;
  try {
    const said: unknown = Struct.unwrap(Struct.decode(Buffer.from(value, "base64")));
    const own = shortTextsIn(said);
    const labels = typeof said === "object" && said !== null && "LABELS" in said ? said.LABELS : undefined;
    const namespace = own("NAMESPACE");
    if (namespace === undefined || namespace !== NAMESPACE.exec(spiffeId)?.[1]) return undefined;
    const place = { workload: own("WORKLOAD_NAME"), namespace, cluster: own("CLUSTER_ID") };
    return describeWorkload(place, shortTextsIn(labels));
  } catch {
    return undefined;
  }
}

function shortTextsIn(value: unknown): ReturnType<typeof textsIn> {
  const texts = textsIn(value);
  return (key) => {
    const text = texts(key);
    return text !== undefined && text.length > LONGEST_VALUE ? undefined : text;
  };
}
