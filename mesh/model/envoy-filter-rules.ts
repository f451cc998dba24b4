import type { ApplyTo, ListenerMatch } from "./envoy-filter.ts";
import { type FieldPath, quoted } from "./finding.ts";
import { isFields } from "./plain-data.ts";
import type { Report } from "./schema-rule.ts";

const CONNECTION_MANAGER = "envoy.filters.network.http_connection_manager";
/** The old name, which Istio takes too. */
const CONNECTION_MANAGERS: readonly string[] = [CONNECTION_MANAGER, "envoy.http_connection_manager"];

const MATCHES = ["listener", "routeConfiguration", "cluster"] as const;
type MatchField = (typeof MATCHES)[number];

/** What each object is found by. Those that are left out have a match that does not matter. */
const MATCH_OF: Readonly<Partial<Record<ApplyTo, MatchField>>> = {
  LISTENER: "listener",
  FILTER_CHAIN: "listener",
  NETWORK_FILTER: "listener",
  HTTP_FILTER: "listener",
  ROUTE_CONFIGURATION: "routeConfiguration",
  VIRTUAL_HOST: "routeConfiguration",
  HTTP_ROUTE: "routeConfiguration",
  CLUSTER: "cluster",
};

/** Whether `applyTo` and the match speak of the same kind of object. */
export function checkMatchKind(
  applyTo: ApplyTo,
  match: Readonly<Partial<Record<MatchField, unknown>>> & { readonly listener?: ListenerMatch | undefined },
  report: Report,
): void {
  const given = MATCHES.filter((field) => match[field] !== undefined);
  if (given.length > 1) report(["match"], `must have only one of ${MATCHES.join(", ")}`);
  const wanted = MATCH_OF[applyTo];
  for (const field of given) {
    if (wanted !== undefined && field !== wanted)
      report(["match", field], `is not what ${applyTo} is found by: use ${wanted}`);
  }
  const filter = match.listener?.filterChain?.filter;
  if (filter !== undefined && wanted === "listener") checkFilter(applyTo, filter, report);
}

/** A filter of a filter is one of the HTTP connection manager's. */
function checkFilter(
  applyTo: ApplyTo,
  filter: { readonly name: string; readonly subFilter: string },
  report: Report,
): void {
  if (filter.subFilter === "") return;
  const path = ["match", "listener", "filterChain", "filter", "subFilter"];
  if (applyTo !== "HTTP_FILTER") report(path, "is only for applyTo HTTP_FILTER");
  else if (!CONNECTION_MANAGERS.includes(filter.name))
    report(path, `needs a filter whose name is ${CONNECTION_MANAGER}`);
}

/** The messages in a patch of which no Envoy of today knows the type. */
export function typeProblems(
  value: unknown,
  path: FieldPath = [],
): readonly { readonly path: FieldPath; readonly problem: string }[] {
  if (Array.isArray(value)) return value.flatMap((item, index) => typeProblems(item, [...path, index]));
  if (!isFields(value)) return [];
  return Object.entries(value).flatMap(([key, field]) => {
    if (key !== "@type") return typeProblems(field, [...path, key]);
    const problem = typeProblem(field);
    return problem === undefined ? [] : [{ path: [...path, key], problem }];
  });
}

function typeProblem(type: unknown): string | undefined {
  if (typeof type !== "string" || !/^[^/\s]+\/[\w.]+$/.test(type))
    return "must be like type.googleapis.com/envoy.config.cluster.v3.Cluster";
  if (/\/envoy\..*\.v2(?:alpha\d*)?\./.test(type))
    return `${quoted(type)} is of Envoy's version 2 API, which is gone: use its v3`;
  return undefined;
}

/** What Istio accepts in a patch and yet warns about. */
export function reviewPatch(patch: unknown, warn: Report): void {
  if (!isFields(patch) || (patch["applyTo"] !== "LISTENER" && patch["applyTo"] !== "FILTER_CHAIN")) return;
  const path = ["match", "listener", "filterChain", "filter"];
  let found: unknown = patch;
  for (const field of path) found = isFields(found) ? found[field] : undefined;
  if (found !== undefined) warn(path, `has no effect with applyTo ${patch["applyTo"]}`);
}
