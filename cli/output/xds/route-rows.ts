import type { ProxyResourceReply } from "../../../mesh/admin-api/replies.ts";
import type { Column } from "../render.ts";
import { at, listAt, madeFrom, textAt } from "./json-path.ts";

interface RouteRow {
  readonly resource: string;
  readonly host: string;
  readonly domains: string;
  readonly match: string;
  readonly destination: string;
  readonly virtualService: string;
}

export const ROUTE_COLUMNS: readonly Column<RouteRow>[] = [
  { header: "NAME", cell: ({ resource }) => resource },
  { header: "VHOST NAME", cell: ({ host }) => host, wide: true },
  { header: "DOMAINS", cell: ({ domains }) => domains },
  { header: "MATCH", cell: ({ match }) => match },
  { header: "DESTINATION", cell: ({ destination }) => destination },
  { header: "VIRTUAL SERVICE", cell: ({ virtualService }) => virtualService },
];

export function routeRows({ name, resource }: ProxyResourceReply): readonly RouteRow[] {
  return listAt(resource, "virtualHosts").flatMap((host) =>
    listAt(host, "routes").map((route) => ({
      resource: name,
      host: textAt(host, "name"),
      domains: listAt(host, "domains").map(String).join(", "),
      match: routeMatch(at(route, "match")),
      destination: routeDestination(route),
      virtualService: madeFrom(at(route, "metadata")),
    })),
  );
}

function routeMatch(match: unknown): string {
  const headers = listAt(match, "headers").map((header) =>
    valueMatch(header, textAt(header, "name"), "stringMatch"),
  );
  const query = listAt(match, "queryParameters").map((parameter) =>
    valueMatch(parameter, `?${textAt(parameter, "name")}`, "stringMatch"),
  );
  return [pathMatch(match), ...headers, ...query].join(" ");
}

/** `/reviews*` for a prefix, `/reviews` for exactly that, `~expression` for a regular expression. */
function pathMatch(match: unknown): string {
  const exact = textAt(match, "path");
  if (exact !== "") return exact;
  const separated = textAt(match, "pathSeparatedPrefix");
  if (separated !== "") return `${separated}[/*]`;
  const regex = textAt(match, "safeRegex", "regex");
  return regex === "" ? `${textAt(match, "prefix")}*` : `~${regex}`;
}

function valueMatch(matcher: unknown, name: string, key: string): string {
  const sign = textAt(matcher, "invertMatch") === "true" ? "!" : "";
  const found = at(matcher, key);
  for (const [field, form] of [
    ["exact", (value: string) => value],
    ["prefix", (value: string) => `${value}*`],
    ["suffix", (value: string) => `*${value}`],
    ["contains", (value: string) => `*${value}*`],
  ] as const) {
    if (at(found, field) !== undefined) return `${sign}${name}=${form(textAt(found, field))}`;
  }
  const regex = textAt(found, "safeRegex", "regex");
  return regex === "" ? `${sign}${name}` : `${sign}${name}=~${regex}`;
}

function routeDestination(route: unknown): string {
  const cluster = textAt(route, "route", "cluster");
  if (cluster !== "") return cluster;
  const weighted = listAt(route, "route", "weightedClusters", "clusters");
  if (weighted.length > 0) {
    return weighted
      .map((cluster) => `${textAt(cluster, "name")} ${textAt(cluster, "weight") || "0"}`)
      .join(", ");
  }
  const status = textAt(route, "directResponse", "status");
  if (status !== "") return `direct response ${status}`;
  return at(route, "redirect") === undefined ? "" : "redirect";
}
