import { parseNodeId } from "../../mesh/xds/names.ts";
import type { Ends, UpstreamEnd } from "./records.ts";

/** Labels that every `istio_*` traffic series has (conventions §4.2), whether they are known or not. */
export const TRAFFIC_LABELS = [
  "reporter",
  "source_workload",
  "source_workload_namespace",
  "source_canonical_service",
  "source_canonical_revision",
  "source_principal",
  "source_app",
  "source_version",
  "source_cluster",
  "destination_workload",
  "destination_workload_namespace",
  "destination_canonical_service",
  "destination_canonical_revision",
  "destination_principal",
  "destination_app",
  "destination_version",
  "destination_service",
  "destination_service_name",
  "destination_service_namespace",
  "destination_cluster",
  "request_protocol",
  "response_flags",
  "connection_security_policy",
] as const;

export type TrafficLabels = Readonly<Record<(typeof TRAFFIC_LABELS)[number], string>>;

/** One end of an exchange as metrics describe it. */
interface Party {
  readonly workload: string;
  readonly namespace: string;
  readonly service: string;
  readonly revision: string;
  readonly principal: string;
  readonly app: string;
  readonly version: string;
  readonly cluster: string;
  /** Full host name of the service. */
  readonly host: string;
}

const UNKNOWN = "unknown";
const NOBODY: Party = {
  workload: UNKNOWN,
  namespace: UNKNOWN,
  service: UNKNOWN,
  revision: UNKNOWN,
  principal: UNKNOWN,
  app: UNKNOWN,
  version: UNKNOWN,
  cluster: UNKNOWN,
  host: UNKNOWN,
};

export interface NodeIdentity {
  readonly id: string;
  readonly metadata: Readonly<Record<string, unknown>>;
}

/** Describes this proxy's own workload from its node's metadata (`LABELS`, `WORKLOAD_NAME`, `CLUSTER_ID`, …). */
export function describeNode(node: NodeIdentity): (ownId: string | undefined) => Party {
  const name = parseNodeId(node.id);
  const labels = record(node.metadata["LABELS"]);
  const app = labels("app") ?? UNKNOWN;
  const version = labels("version") ?? UNKNOWN;
  const own = record(node.metadata);
  const workload = own("WORKLOAD_NAME") ?? name?.name ?? UNKNOWN;
  const namespace = own("NAMESPACE") ?? name?.namespace ?? UNKNOWN;
  const service =
    labels("service.istio.io/canonical-name") ??
    labels("app.kubernetes.io/name") ??
    labels("app") ??
    workload;
  const domain = node.id.split("~")[3]?.split(".svc.")[1] ?? "cluster.local";
  const party = {
    workload,
    namespace,
    service,
    host: `${service}.${namespace}.svc.${domain}`,
    revision:
      labels("service.istio.io/canonical-revision") ??
      labels("app.kubernetes.io/version") ??
      labels("version") ??
      "latest",
    app,
    version,
    cluster: own("CLUSTER_ID") ?? UNKNOWN,
  };
  return (ownId) => ({ ...party, principal: ownId ?? UNKNOWN });
}

function record(value: unknown): (key: string) => string | undefined {
  const map = new Map(typeof value === "object" && value !== null ? Object.entries(value) : []);
  return (key) => {
    const found: unknown = map.get(key);
    return typeof found === "string" && found !== "" ? found : undefined;
  };
}

/** The labels of one exchange; what only the other end knows stays `unknown`. */
export function trafficLabels(
  own: Party,
  exchange: {
    readonly ends: Ends;
    readonly upstream: UpstreamEnd;
    readonly protocol: string;
    readonly flags: string;
  },
): TrafficLabels {
  const { ends, upstream } = exchange;
  const inbound = ends.direction === "inbound";
  const source = inbound ? partyOfPrincipal(ends.clientId) : own;
  const destination = inbound ? own : partyOfEndpoint(upstream);
  const service = inbound ? { ...own, name: own.service } : serviceOfCluster(upstream.cluster);
  return {
    reporter: inbound ? "destination" : "source",
    source_workload: source.workload,
    source_workload_namespace: source.namespace,
    source_canonical_service: source.service,
    source_canonical_revision: source.revision,
    source_principal: source.principal,
    source_app: source.app,
    source_version: source.version,
    source_cluster: source.cluster,
    destination_workload: destination.workload,
    destination_workload_namespace: destination.namespace,
    destination_canonical_service: destination.service,
    destination_canonical_revision: destination.revision,
    destination_principal: destination.principal,
    destination_app: destination.app,
    destination_version: destination.version,
    destination_service: service.host,
    destination_service_name: service.name,
    destination_service_namespace: service.namespace,
    destination_cluster: destination.cluster,
    request_protocol: exchange.protocol,
    response_flags: exchange.flags,
    connection_security_policy: inbound ? (ends.clientId === undefined ? "none" : "mutual_tls") : UNKNOWN,
  };
}

function partyOfPrincipal(id: string | undefined): Party {
  if (id === undefined) return NOBODY;
  const [, cluster = UNKNOWN, namespace = UNKNOWN] = /^spiffe:\/\/([^/]+)\/ns\/([^/]+)\/sa\//.exec(id) ?? [];
  return { ...NOBODY, namespace, cluster, principal: id };
}

function partyOfEndpoint({ workload, id }: UpstreamEnd): Party {
  const [name, namespace, service, revision, cluster] = workload.split(";");
  return {
    ...NOBODY,
    workload: name || UNKNOWN,
    namespace: namespace || UNKNOWN,
    service: service || UNKNOWN,
    revision: revision || UNKNOWN,
    app: service || UNKNOWN,
    version: revision || UNKNOWN,
    cluster: cluster || UNKNOWN,
    principal: id ?? UNKNOWN,
  };
}

interface ServiceName {
  readonly host: string;
  readonly name: string;
  readonly namespace: string;
}

function serviceOfCluster(cluster: string): ServiceName {
  const host = cluster.split("|")[3] || UNKNOWN;
  const [, name = host, namespace = UNKNOWN] = /^([^.]+)\.([^.]+)\.svc\./.exec(host) ?? [];
  return { host, name, namespace };
}
