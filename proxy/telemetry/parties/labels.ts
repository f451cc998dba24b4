import type { Ends, UpstreamEnd } from "../records.ts";
import type { OwnParty } from "./own-party.ts";
import { NOBODY, type Party, UNKNOWN } from "./party.ts";

/** Labels that every `istio_*` traffic series has (conventions §4.2), whether they are known or not. */
const TRAFFIC = [
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
] as const;

type TrafficLabels = Readonly<Record<(typeof TRAFFIC)[number], string>>;

/** Who spoke to whom; what only the other end knows stays `unknown`. */
export function trafficLabels(
  own: OwnParty,
  { ends, upstream }: { readonly ends: Ends; readonly upstream: UpstreamEnd },
): TrafficLabels {
  const inbound = ends.direction === "inbound";
  const source = inbound ? callerOf(ends, own) : own;
  const destination = inbound ? own : partyOfEndpoint(upstream);
  const service = inbound
    ? { host: own.host, name: own.service, namespace: own.namespace }
    : calledService(upstream);
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
  };
}

const REQUEST = ["request_protocol", "response_flags", "connection_security_policy"] as const;

/** What series have beside those, but for the messages of streams. */
export function requestLabels(
  ends: Ends,
  protocol: "http" | "grpc" | "tcp",
  flags: string,
): Readonly<Record<(typeof REQUEST)[number], string>> {
  return {
    request_protocol: protocol,
    response_flags: flags,
    connection_security_policy:
      ends.direction !== "inbound" ? UNKNOWN : ends.clientId === undefined ? "none" : "mutual_tls",
  };
}

/** Labels of the series that stands for all that there is no room for. */
const overflow = (names: readonly string[]): Readonly<Record<string, string>> =>
  Object.fromEntries(names.map((name) => [name, "overflow"]));

export const OVERFLOW = {
  messages: overflow(TRAFFIC),
  tcp: overflow([...TRAFFIC, ...REQUEST]),
  http: overflow([...TRAFFIC, ...REQUEST, "response_code", "grpc_response_status"]),
} as const;

/** Of an identity alone the namespace is known; a mesh is one cluster unless somebody says otherwise. */
function callerOf({ clientId, ownId, caller }: Ends, own: OwnParty): Party {
  if (clientId === undefined) return NOBODY;
  if (caller !== undefined) return { ...caller, principal: clientId };
  const [, domain = UNKNOWN, namespace = UNKNOWN] =
    /^spiffe:\/\/([^/]+)\/ns\/([^/]+)\/sa\//.exec(clientId) ?? [];
  const isOurs = ownId?.startsWith(`spiffe://${domain}/`) === true && own.cluster !== UNKNOWN;
  return { ...NOBODY, namespace, cluster: isOurs ? own.cluster : domain, principal: clientId };
}

function partyOfEndpoint({ workload, id }: UpstreamEnd): Party {
  const [name, namespace, service, revision, cluster] = workload.split(";");
  return {
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

/**
 * As Istio has it without its fallback to the host header: what the cluster says of itself, its host, or, for clusters
 * that are no service, its name. A caller's host is no label, since anybody can make up any number of them.
 */
function calledService({ cluster, service }: UpstreamEnd): ServiceName {
  if (service !== undefined) return service;
  const host = cluster.split("|")[3];
  if (!host) return { host: UNKNOWN, name: cluster || UNKNOWN, namespace: UNKNOWN };
  const [, name = host, namespace = UNKNOWN] = /^([^.]+)\.([^.]+)\.svc\./.exec(host) ?? [];
  return { host, name, namespace };
}
