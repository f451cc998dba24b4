import type {
  ProxyReply,
  ProxyResourceReply,
  ProxyResourceType,
  ProxyStatusType,
  ProxyTypeStatus,
  SyncReply,
} from "../../mesh/admin-api/replies.ts";
import type { XdsJson } from "../../mesh/xds/json.ts";
import { TYPE_URL, type TypeUrl } from "../../mesh/xds/type-urls.ts";
import type { NodeResources } from "../xds/config-source.ts";
import type { ProxyStatus, SyncResult, TypeStatus } from "../xds/proxy-status.ts";

/** The xDS types as people name them. */
const TYPE_URL_OF: Readonly<Record<ProxyStatusType, TypeUrl>> = {
  listener: TYPE_URL.listener,
  route: TYPE_URL.route,
  cluster: TYPE_URL.cluster,
  endpoint: TYPE_URL.endpoints,
  secret: TYPE_URL.secret,
  extension: TYPE_URL.extension,
  "virtual-host": TYPE_URL.virtualHost,
  "host-name": TYPE_URL.hostName,
};
const NAME_OF = new Map<TypeUrl, ProxyStatusType>(
  (Object.keys(TYPE_URL_OF) as ProxyStatusType[]).map((name) => [TYPE_URL_OF[name], name]),
);

const UNKNOWN: ProxyTypeStatus = {
  state: "IGNORED",
  resources: 0,
  sentAt: null,
  ackedAt: null,
  rejection: null,
  causes: [],
};

/** The objects that resources of a workload come from. */
export type CausesOf = (workload: string, type: TypeUrl, names: readonly string[]) => readonly string[];

/** The xDS server's row as the REST tells it. `agent` is who registered the workload. */
export function toProxyReply(status: ProxyStatus, agent: string, causesOf: CausesOf): ProxyReply {
  const type = (name: ProxyStatusType): ProxyTypeStatus => {
    const url = TYPE_URL_OF[name];
    return toTypeStatus(status.types.get(url), (names) => causesOf(status.workload, url, names));
  };
  return {
    workload: status.workload,
    nodeId: status.nodeId,
    agent,
    dataPlane: status.dataPlane,
    version: status.dataPlaneVersion,
    connectedAt: new Date(status.connectedAt).toISOString(),
    types: {
      listener: type("listener"),
      route: type("route"),
      cluster: type("cluster"),
      endpoint: type("endpoint"),
      secret: type("secret"),
      extension: type("extension"),
      "virtual-host": type("virtual-host"),
      "host-name": type("host-name"),
    },
  };
}

export function toSyncReply(result: SyncResult, causesOf: CausesOf): Omit<SyncReply, "snapshot"> {
  return {
    acked: result.acked.length,
    total: result.acked.length + result.pending.length + result.rejected.length,
    rejected: result.rejected.map(({ workload, typeUrl, nack }) => ({
      workload,
      type: statusTypeOf(typeUrl),
      message: nack.message,
      causes: causesOf(workload, typeUrl, nack.resources),
    })),
  };
}

function toTypeStatus(
  status: TypeStatus | undefined,
  causesOf: (names: readonly string[]) => readonly string[],
): ProxyTypeStatus {
  if (status === undefined) return UNKNOWN;
  const refused = status.state === "REJECTED" ? (status.lastNack?.resources ?? []) : [];
  return {
    state: status.state,
    resources: status.resources,
    sentAt: toTime(status.sentAt),
    ackedAt: toTime(status.ackedAt),
    rejection: status.lastNack?.message ?? null,
    causes: causesOf(refused),
  };
}

/** The short name of an xDS type. */
export function statusTypeOf(typeUrl: TypeUrl): ProxyStatusType {
  const name = NAME_OF.get(typeUrl);
  if (name === undefined) throw new Error(`no name is known for ${typeUrl}`);
  return name;
}

function toTime(at: number | undefined): string | null {
  return at === undefined ? null : new Date(at).toISOString();
}

/** What the server has for a node, in ProtoJSON, sorted by type and name. */
export function toProxyResources(
  json: XdsJson,
  resources: NodeResources,
  types: readonly ProxyResourceType[],
): readonly ProxyResourceReply[] {
  return types.flatMap((type) =>
    [...(resources.types.get(TYPE_URL_OF[type])?.values() ?? [])]
      .toSorted((a, b) => (a.name < b.name ? -1 : 1))
      .map(({ name, version, bytes }) => ({
        type,
        name,
        version,
        resource: json.resourceToJson(TYPE_URL_OF[type], bytes) as Readonly<Record<string, unknown>>,
      })),
  );
}
