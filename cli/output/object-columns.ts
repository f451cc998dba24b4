import type { ObjectReply } from "../../mesh/admin-api/replies.ts";
import type { Kind } from "../../mesh/model/object.ts";
import { isFields } from "../../mesh/model/plain-data.ts";
import { formatAge } from "../duration.ts";
import type { Column } from "./render.ts";

type ObjectColumn = Column<ObjectReply>;

/** kubectl's columns: the printer columns of Istio's CRDs, and its own for a Secret. */
const OF_KIND: Readonly<Record<Kind, readonly ObjectColumn[]>> = {
  VirtualService: [field("GATEWAYS", "gateways"), field("HOSTS", "hosts")],
  DestinationRule: [field("HOST", "host")],
  ServiceEntry: [field("HOSTS", "hosts"), field("LOCATION", "location"), field("RESOLUTION", "resolution")],
  WorkloadEntry: [field("ADDRESS", "address")],
  WorkloadGroup: [],
  Gateway: [],
  Sidecar: [],
  ProxyConfig: [],
  EnvoyFilter: [],
  MeshConfig: [],
  Secret: [
    {
      header: "TYPE",
      cell: ({ object }) => (typeof object["type"] === "string" ? object["type"] : "Opaque"),
    },
    { header: "DATA", cell: ({ object }) => String(dataKeys(object).size) },
  ],
  PeerAuthentication: [field("MODE", "mtls", "mode")],
  RequestAuthentication: [],
  AuthorizationPolicy: [field("ACTION", "action")],
  Telemetry: [],
};

export function objectColumns(kind: Kind, now: number): readonly ObjectColumn[] {
  return [
    { header: "NAME", cell: ({ name }) => name },
    ...OF_KIND[kind],
    { header: "AGE", cell: ({ createdAt }) => formatAge(now - Date.parse(createdAt)) },
    { header: "REVISION", cell: ({ revision }) => String(revision), wide: true },
    { header: "ORIGIN", cell: ({ origin }) => origin, wide: true },
  ];
}

function dataKeys(object: ObjectReply["object"]): ReadonlySet<string> {
  const { data, stringData } = object;
  return new Set([data, stringData].flatMap((map) => (isFields(map) ? Object.keys(map) : [])));
}

/** A field of the spec as it was written; lists in brackets, as kubectl has them. */
function field(header: string, ...path: readonly string[]): ObjectColumn {
  return {
    header,
    cell: ({ object }) => {
      let value: unknown = object["spec"];
      for (const key of path) {
        value =
          typeof value === "object" && value !== null ? (value as Record<string, unknown>)[key] : undefined;
      }
      if (value === undefined || value === null) return "";
      return typeof value === "string" ? value : JSON.stringify(value);
    },
  };
}
