import type { ProxyResourceReply } from "../../../mesh/admin-api/replies.ts";
import type { Column } from "../render.ts";
import { at, listAt, textAt } from "./json-path.ts";

interface EndpointRow {
  readonly resource: string;
  readonly endpoint: string;
  readonly status: string;
  readonly tls: string;
  readonly weight: string;
  readonly locality: string;
}

export const ENDPOINT_COLUMNS: readonly Column<EndpointRow>[] = [
  { header: "ENDPOINT", cell: ({ endpoint }) => endpoint },
  {
    header: "STATUS",
    cell: ({ status }) => ({ text: status, tone: status === "HEALTHY" ? "good" : "bad" }),
  },
  { header: "TLS", cell: ({ tls }) => tls },
  { header: "WEIGHT", cell: ({ weight }) => weight, wide: true },
  { header: "LOCALITY", cell: ({ locality }) => locality, wide: true },
  { header: "CLUSTER", cell: ({ resource }) => resource },
];

export function endpointRows({ name, resource }: ProxyResourceReply): readonly EndpointRow[] {
  return listAt(resource, "endpoints").flatMap((group) => {
    const locality = ["region", "zone", "subZone"].map((part) => textAt(group, "locality", part));
    return listAt(group, "lbEndpoints").map((member) => ({
      resource: name,
      endpoint: socketAddress(at(member, "endpoint", "address", "socketAddress")),
      // What a load assignment does not say is taken as healthy.
      status: textAt(member, "healthStatus") || "HEALTHY",
      tls: textAt(member, "metadata", "filterMetadata", "envoy.transport_socket_match", "tlsMode") || "none",
      weight: textAt(member, "loadBalancingWeight") || "1",
      locality: locality.join("/").replace(/\/+$/, ""),
    }));
  });
}

function socketAddress(value: unknown): string {
  const address = textAt(value, "address");
  const port = textAt(value, "portValue");
  return address.includes(":") ? `[${address}]:${port}` : `${address}:${port}`;
}
