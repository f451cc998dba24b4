import { RouteConfiguration as RouteConfigurationMessage } from "../../mesh/xds/gen/envoy/config/route/v3/route.ts";
import {
  RouteAction_ClusterNotFoundResponseCode as NotFound,
  type RouteAction as RouteActionMessage,
  type RouteMatch as RouteMatchMessage,
  type Route as RouteMessage,
  type VirtualHost as VirtualHostMessage,
  type WeightedCluster as WeightedClusterMessage,
} from "../../mesh/xds/gen/envoy/config/route/v3/route_components.ts";
import type { Any } from "../../mesh/xds/gen/google/protobuf/any.ts";
import type {
  Fault,
  ForwardAction,
  PathMatch,
  Route,
  RouteAction,
  RouteConfiguration,
  RouteMatch,
  VirtualHost,
  WeightedCluster,
} from "../model/route.ts";
import { FAULT_TYPE, parseFault } from "./fault.ts";
import { EDIT_FIELDS, parseEdits } from "./header-edits.ts";
import { parseHeaderMatch, parseQueryMatch, parseRegex } from "./match.ts";
import { parseRedirect } from "./redirect.ts";
import { invalid, onlyFields, required, unsupported } from "./refuse.ts";
import { parseRetry } from "./retry.ts";
import { parseRewrite } from "./rewrite.ts";
import { anyType, decode, fraction, inlineBytes, milliseconds } from "./values.ts";

/** Envoy's own default, which applies where a route says nothing. */
const DEFAULT_ROUTE_TIMEOUT_MS = 15_000;

export function parseRouteConfiguration(bytes: Uint8Array, name: string): RouteConfiguration {
  const where = `route configuration ${name}`;
  return readRouteConfiguration(where, decode(where, RouteConfigurationMessage, bytes));
}

/** `validate_clusters` is not enforced: a route to a cluster that is not there answers 503 with the flag NC. */
export function readRouteConfiguration(where: string, from: RouteConfigurationMessage): RouteConfiguration {
  onlyFields(where, from, [
    "name",
    "virtualHosts",
    ...EDIT_FIELDS,
    "ignorePortInHostMatching",
    "validateClusters",
    "maxDirectResponseBodySizeBytes",
    "metadata",
  ]);
  return {
    name: from.name,
    virtualHosts: from.virtualHosts.map((host) => parseVirtualHost(where, host)),
    edits: parseEdits(where, from),
    ignorePortInHost: from.ignorePortInHostMatching,
  };
}

function parseVirtualHost(parent: string, from: VirtualHostMessage): VirtualHost {
  const where = `${parent}: virtual host "${from.name}"`;
  onlyFields(where, from, [
    "name",
    "domains",
    "routes",
    ...EDIT_FIELDS,
    "typedPerFilterConfig",
    "retryPolicy",
    "includeRequestAttemptCount",
    "metadata",
  ]);
  if (from.domains.length === 0) throw invalid(where, "no domains");
  return {
    name: from.name,
    domains: from.domains.map((domain) => domain.toLowerCase()),
    routes: from.routes.map((route, index) => parseRoute(where, route, index)),
    edits: parseEdits(where, from),
    retry: from.retryPolicy && parseRetry(where, from.retryPolicy),
    fault: parsePerFilter(where, from.typedPerFilterConfig),
    includeAttemptCount: from.includeRequestAttemptCount,
  };
}

function parseRoute(parent: string, from: RouteMessage, index: number): Route {
  const where = `${parent}: route "${from.name || index}"`;
  onlyFields(where, from, [
    "name",
    "match",
    "route",
    "redirect",
    "directResponse",
    "metadata",
    "decorator",
    "typedPerFilterConfig",
    ...EDIT_FIELDS,
    "statPrefix",
  ]);
  return {
    name: from.name,
    match: parseMatch(where, required(where, "match", from.match)),
    action: parseAction(where, from),
    edits: parseEdits(where, from),
    fault: parsePerFilter(where, from.typedPerFilterConfig),
  };
}

function parsePerFilter(where: string, configs: Readonly<Record<string, Any>>): Fault | undefined {
  let fault: Fault | undefined;
  for (const [name, config] of Object.entries(configs)) {
    if (anyType(config) !== FAULT_TYPE)
      throw unsupported(where, `per-route configuration of filter "${name}"`);
    fault = parseFault(where, config.value);
  }
  return fault;
}

function parseMatch(where: string, from: RouteMatchMessage): RouteMatch {
  onlyFields(`${where}: match`, from, [
    "prefix",
    "path",
    "safeRegex",
    "pathSeparatedPrefix",
    "caseSensitive",
    "runtimeFraction",
    "headers",
    "queryParameters",
  ]);
  return {
    path: parsePath(where, from),
    headers: from.headers.map((header) => parseHeaderMatch(where, header)),
    query: from.queryParameters.map((parameter) => parseQueryMatch(where, parameter)),
    fraction: fraction(from.runtimeFraction?.defaultValue, 1),
  };
}

function parsePath(where: string, from: RouteMatchMessage): PathMatch {
  const ignoreCase = from.caseSensitive === false;
  if (from.prefix !== undefined) return { kind: "prefix", value: from.prefix, ignoreCase };
  if (from.path !== undefined) return { kind: "exact", value: from.path, ignoreCase };
  if (from.pathSeparatedPrefix !== undefined) {
    return { kind: "path-prefix", value: from.pathSeparatedPrefix, ignoreCase };
  }
  if (from.safeRegex !== undefined) return { kind: "regex", value: parseRegex(where, from.safeRegex) };
  throw invalid(where, "a route without a path match");
}

function parseAction(where: string, from: RouteMessage): RouteAction {
  if (from.route) return parseForward(where, from.route);
  if (from.redirect) return parseRedirect(where, from.redirect);
  if (from.directResponse) {
    const { status, body } = from.directResponse;
    if (status < 200 || status > 599) throw invalid(where, `direct response with status ${status}`);
    return { kind: "respond", status, body: inlineBytes(where, body) };
  }
  throw invalid(where, "a route without an action");
}

function parseForward(parent: string, from: RouteActionMessage): ForwardAction {
  const where = `${parent}: action`;
  onlyFields(where, from, [
    "cluster",
    "weightedClusters",
    "clusterNotFoundResponseCode",
    "prefixRewrite",
    "regexRewrite",
    "hostRewriteLiteral",
    "timeout",
    "idleTimeout",
    "retryPolicy",
    // Limits of gRPC streams: `timeout` holds for them too.
    "maxGrpcTimeout",
    "maxStreamDuration",
  ]);
  return {
    kind: "forward",
    clusters: parseClusters(where, from),
    pathRewrite: parseRewrite(where, from.prefixRewrite, from.regexRewrite),
    authorityRewrite: from.hostRewriteLiteral,
    timeoutMs: milliseconds(from.timeout, DEFAULT_ROUTE_TIMEOUT_MS),
    idleTimeoutMs: from.idleTimeout && milliseconds(from.idleTimeout, 0),
    retry: from.retryPolicy && parseRetry(where, from.retryPolicy),
    clusterNotFoundStatus: parseNotFound(where, from),
  };
}

function parseNotFound(where: string, from: RouteActionMessage): number {
  const code = from.clusterNotFoundResponseCode;
  if (code === NotFound.NOT_FOUND) return 404;
  if (code === NotFound.INTERNAL_SERVER_ERROR) return 500;
  if (code === NotFound.SERVICE_UNAVAILABLE) return 503;
  throw unsupported(where, `cluster_not_found_response_code ${code}`);
}

function parseClusters(where: string, from: RouteActionMessage): WeightedCluster[] {
  if (from.cluster) {
    const edits = { request: { remove: [], add: [] }, response: { remove: [], add: [] } };
    return [{ name: from.cluster, weight: 1, edits, authorityRewrite: undefined }];
  }
  if (from.weightedClusters) return parseWeighted(where, from.weightedClusters);
  throw invalid(where, "no cluster");
}

function parseWeighted(where: string, from: WeightedClusterMessage): WeightedCluster[] {
  onlyFields(where, from, ["clusters", "totalWeight", "runtimeKeyPrefix"]);
  const clusters = from.clusters.map((cluster): WeightedCluster => {
    const at = `${where}: weighted cluster "${cluster.name}"`;
    onlyFields(at, cluster, ["name", "weight", ...EDIT_FIELDS, "hostRewriteLiteral"]);
    return {
      name: cluster.name,
      weight: cluster.weight ?? 0,
      edits: parseEdits(at, cluster),
      authorityRewrite: cluster.hostRewriteLiteral,
    };
  });
  if (clusters.every(({ weight }) => weight === 0)) throw invalid(where, "the weights of all clusters are 0");
  return clusters;
}
