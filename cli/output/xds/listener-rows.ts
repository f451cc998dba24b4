import type { ProxyResourceReply } from "../../../mesh/admin-api/replies.ts";
import type { Column } from "../render.ts";
import { at, listAt, textAt } from "./json-path.ts";

interface ListenerRow {
  readonly resource: string;
  readonly address: string;
  readonly port: string;
  readonly match: string;
  readonly destination: string;
}

export const LISTENER_COLUMNS: readonly Column<ListenerRow>[] = [
  { header: "ADDRESS", cell: ({ address }) => address },
  { header: "PORT", cell: ({ port }) => port },
  { header: "MATCH", cell: ({ match }) => match },
  { header: "DESTINATION", cell: ({ destination }) => destination },
];

/** One row for each filter chain, in istioctl's words. */
export function listenerRows({ name, resource }: ProxyResourceReply): readonly ListenerRow[] {
  const chains = [...listAt(resource, "filterChains"), ...[resource["defaultFilterChain"] ?? []].flat()];
  return chains.map((chain) => ({
    resource: name,
    address: textAt(resource, "address", "socketAddress", "address"),
    port: textAt(resource, "address", "socketAddress", "portValue"),
    match: chainMatch(at(chain, "filterChainMatch")),
    destination: destinationOf(chain),
  }));
}

function chainMatch(match: unknown): string {
  const list = (key: string): string => listAt(match, key).map(String).join(",");
  const ranges = listAt(match, "prefixRanges").map(
    (range) => `${textAt(range, "addressPrefix")}/${textAt(range, "prefixLen") || "0"}`,
  );
  const port = textAt(match, "destinationPort");
  const parts = [
    ["Trans", textAt(match, "transportProtocol")],
    ["SNI", list("serverNames")],
    ["App", list("applicationProtocols")],
    ["Addr", port === "" ? ranges.join(",") : `${ranges.join(",") || "*"}:${port}`],
  ].filter(([, value]) => value !== "");
  return parts.length === 0 ? "ALL" : parts.map(([key, value]) => `${key}: ${value}`).join("; ");
}

function destinationOf(chain: unknown): string {
  for (const filter of listAt(chain, "filters")) {
    const config = at(filter, "typedConfig");
    const type = textAt(config, "@type");
    if (type.endsWith(".TcpProxy")) return tcpDestination(config);
    if (type.endsWith(".HttpConnectionManager")) return httpDestination(config);
  }
  return "";
}

function tcpDestination(config: unknown): string {
  const weighted = listAt(config, "weightedClusters", "clusters").map((cluster) => textAt(cluster, "name"));
  return `Cluster: ${weighted.length > 0 ? weighted.join(", ") : textAt(config, "cluster")}`;
}

function httpDestination(config: unknown): string {
  const route = textAt(config, "rds", "routeConfigName");
  if (route !== "") return `Route: ${route}`;
  const clusters = listAt(config, "routeConfig", "virtualHosts")
    .flatMap((host) => listAt(host, "routes"))
    .map((route) => textAt(route, "route", "cluster"))
    .filter((cluster) => cluster !== "");
  return clusters.length === 0 ? "Inline Route" : `Cluster: ${[...new Set(clusters)].join(", ")}`;
}
