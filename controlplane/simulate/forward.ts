import type {
  RouteAction,
  RouteAction_HashPolicy,
  RouteAction_RequestMirrorPolicy,
  WeightedCluster_ClusterWeight,
} from "../../mesh/xds/gen/envoy/config/route/v3/route_components.ts";
import type { HttpFilter } from "../../mesh/xds/gen/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager.ts";
import { milliseconds } from "./durations.ts";
import { faultOf } from "./fault.ts";
import { fractionOf } from "./fraction.ts";
import { requestEdits, responseEdits } from "./header-edits.ts";
import { firstHeader, type HttpRequest } from "./http-request.ts";
import { rewritePath, substitute } from "./rewrite.ts";
import type { Routing } from "./routing.ts";
import type { ForwardAction, RequestEdits, Retries, Target } from "./verdict.ts";
import { chooseTargets } from "./weights.ts";

/** Envoy's, where a route says nothing. */
const DEFAULT_TIMEOUT_MS = 15_000;

/** Undefined: the clusters come from an extension, which is not simulated. */
export function forward(
  filters: readonly HttpFilter[],
  routing: Routing,
  action: RouteAction,
  request: HttpRequest,
  pick: number | undefined,
): ForwardAction | undefined {
  const targets = targetsOf(action, request);
  if (targets === undefined) return undefined;
  return {
    kind: "forward",
    level: "http",
    targets: chooseTargets(targets, pick),
    hashOn: action.hashPolicy.map(hashText),
    edits: editsOf(filters, routing, action, request),
  };
}

function targetsOf(action: RouteAction, request: HttpRequest): readonly WeightedTarget[] | undefined {
  const { cluster, clusterHeader, weightedClusters } = action;
  if (cluster !== undefined) return [{ cluster, weight: 1, edits: [] }];
  if (clusterHeader !== undefined) {
    return [{ cluster: firstHeader(request, clusterHeader) ?? "", weight: 1, edits: [] }];
  }
  return weightedClusters?.clusters.map((one) => ({
    cluster: one.name || (firstHeader(request, one.clusterHeader) ?? ""),
    weight: one.weight ?? 0,
    edits: clusterEdits(one),
  }));
}

type WeightedTarget = Omit<Target, "share"> & { readonly weight: number };

function clusterEdits(weighted: WeightedCluster_ClusterWeight): readonly string[] {
  const { hostRewriteLiteral } = weighted;
  return [
    ...(hostRewriteLiteral ? [`set :authority: ${hostRewriteLiteral}`] : []),
    ...requestEdits([weighted]),
    ...responseEdits([weighted]).map((text) => `${text} (response)`),
  ];
}

function editsOf(
  filters: readonly HttpFilter[],
  routing: Routing,
  action: RouteAction,
  request: HttpRequest,
): RequestEdits {
  const { configuration, virtualHost, route, match } = routing;
  const levels = [route, virtualHost, configuration];
  const ordered = configuration.mostSpecificHeaderMutationsWins ? levels.toReversed() : levels;
  const mirrors = levelWith([
    action.requestMirrorPolicies,
    virtualHost.requestMirrorPolicies,
    configuration.requestMirrorPolicies,
  ]);
  return {
    path: rewritePath(action, match, request.path) + request.query,
    authority: authorityOf(action, request),
    requestHeaders: requestEdits(ordered),
    responseHeaders: responseEdits(ordered),
    timeoutMs: timeoutOf(action),
    retries: retriesOf(action.retryPolicy ?? virtualHost.retryPolicy),
    fault: faultOf(filters, routing, request),
    mirrors: mirrors.map((one) => mirrorOf(one, request)),
  };
}

/** The most specific level that says anything stands for all. */
function levelWith<T>(levels: readonly (readonly T[])[]): readonly T[] {
  return levels.find((level) => level.length > 0) ?? [];
}

function authorityOf(action: RouteAction, request: HttpRequest): string {
  const { hostRewriteLiteral, hostRewriteHeader, hostRewritePathRegex, autoHostRewrite } = action;
  if (hostRewriteLiteral) return hostRewriteLiteral;
  if (hostRewriteHeader) return firstHeader(request, hostRewriteHeader) ?? request.authority;
  if (hostRewritePathRegex !== undefined) return substitute(hostRewritePathRegex, request.path);
  return autoHostRewrite === true ? "(the endpoint's host name)" : request.authority;
}

function timeoutOf({ timeout, maxStreamDuration }: RouteAction): number | undefined {
  const whole = timeout === undefined ? DEFAULT_TIMEOUT_MS : milliseconds(timeout);
  const stream = maxStreamDuration?.maxStreamDuration;
  const limits = [whole, stream === undefined ? 0 : milliseconds(stream)].filter((ms) => ms > 0);
  return limits.length === 0 ? undefined : Math.min(...limits);
}

function retriesOf(policy: RouteAction["retryPolicy"]): Retries | undefined {
  if (policy === undefined || policy.retryOn === "" || policy.numRetries === 0) return undefined;
  return {
    attempts: policy.numRetries ?? 1,
    on: policy.retryOn,
    perTryTimeoutMs: policy.perTryTimeout && milliseconds(policy.perTryTimeout),
  };
}

function mirrorOf(
  { cluster, clusterHeader, runtimeFraction }: RouteAction_RequestMirrorPolicy,
  request: HttpRequest,
): Omit<Target, "edits"> {
  return {
    cluster: cluster || (firstHeader(request, clusterHeader) ?? ""),
    share: runtimeFraction === undefined ? 1 : fractionOf(runtimeFraction.defaultValue),
  };
}

function hashText({ header, cookie, connectionProperties, queryParameter }: RouteAction_HashPolicy): string {
  if (header !== undefined) return `header ${header.headerName}`;
  if (cookie !== undefined) return `cookie ${cookie.name}`;
  if (queryParameter !== undefined) return `query parameter ${queryParameter.name}`;
  return connectionProperties?.sourceIp === true ? "source address" : "filter state";
}
