import type { ProxyResourceReply } from "../../../mesh/admin-api/replies.ts";
import type { Column } from "../render.ts";
import { madeFrom, textAt } from "./json-path.ts";

interface ClusterRow {
  readonly resource: string;
  readonly fqdn: string;
  readonly port: string;
  readonly subset: string;
  readonly direction: string;
  readonly type: string;
  readonly rule: string;
}

export const CLUSTER_COLUMNS: readonly Column<ClusterRow>[] = [
  { header: "SERVICE FQDN", cell: ({ fqdn }) => fqdn },
  { header: "PORT", cell: ({ port }) => port },
  { header: "SUBSET", cell: ({ subset }) => subset },
  { header: "DIRECTION", cell: ({ direction }) => direction },
  { header: "TYPE", cell: ({ type }) => type },
  { header: "DESTINATION RULE", cell: ({ rule }) => rule },
];

/** A cluster's name says most: `outbound|9080|v1|reviews.default.svc.cluster.local`. */
export function clusterRows({ name, resource }: ProxyResourceReply): readonly ClusterRow[] {
  const [direction = "", port = "", subset = "", fqdn = ""] = name.split("|");
  const named = name.includes("|");
  return [
    {
      resource: name,
      fqdn: named ? fqdn : name,
      port: named ? port : "",
      subset: named ? subset : "",
      direction: named ? direction : "",
      // ProtoJSON leaves defaults out, and STATIC is the default.
      type: textAt(resource, "type") || "STATIC",
      rule: madeFrom(resource["metadata"]),
    },
  ];
}
