import {
  type RouteAction_RequestMirrorPolicy as MirrorMessage,
  RouteAction_ClusterNotFoundResponseCode as NotFound,
  type RouteAction as RouteActionMessage,
  type WeightedCluster as WeightedClusterMessage,
} from "../../mesh/xds/gen/envoy/config/route/v3/route_components.ts";
import type { ForwardAction, Mirror, WeightedCluster } from "../model/route.ts";
import { parseClusterSettings } from "./filter-settings.ts";
import { parseHashPolicy } from "./hash-policy.ts";
import { EDIT_FIELDS, parseEdits } from "./header-edits.ts";
import { invalid, onlyFields, unsupported } from "./refuse.ts";
import { parseRetry } from "./retry.ts";
import { parseRewrite } from "./rewrite.ts";
import { fraction, milliseconds } from "./values.ts";

/** Envoy's own default, which applies where a route says nothing. */
const DEFAULT_ROUTE_TIMEOUT_MS = 15_000;

export function parseForward(parent: string, from: RouteActionMessage): ForwardAction {
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
    // A limit of gRPC streams: `timeout` holds for them too.
    "maxGrpcTimeout",
    "maxStreamDuration",
    "requestMirrorPolicies",
    "hashPolicy",
  ]);
  return {
    kind: "forward",
    clusters: parseClusters(where, from),
    pathRewrite: parseRewrite(where, from.prefixRewrite, from.regexRewrite),
    authorityRewrite: from.hostRewriteLiteral,
    timeoutMs: parseTimeout(where, from),
    grpcTimeoutMaxMs: parseGrpcTimeoutMax(from.maxStreamDuration),
    idleTimeoutMs: from.idleTimeout && milliseconds(from.idleTimeout, 0),
    retry: from.retryPolicy && parseRetry(where, from.retryPolicy),
    clusterNotFoundStatus: parseNotFound(where, from),
    mirrors: from.requestMirrorPolicies.map((mirror) => parseMirror(where, mirror)),
    hash: from.hashPolicy.map((policy) => parseHashPolicy(where, policy)),
  };
}

/** Once anything is said of the stream's duration `timeout` means nothing (Envoy). */
function parseTimeout(where: string, { timeout, maxStreamDuration }: RouteActionMessage): number {
  if (maxStreamDuration === undefined) return milliseconds(timeout, DEFAULT_ROUTE_TIMEOUT_MS);
  if (milliseconds(maxStreamDuration.maxStreamDuration, 0) > 0)
    throw unsupported(where, "a limit of the stream's duration (max_stream_duration)");
  return 0;
}

function parseGrpcTimeoutMax(duration: RouteActionMessage["maxStreamDuration"]): number | undefined {
  return duration?.grpcTimeoutHeaderMax && milliseconds(duration.grpcTimeoutHeaderMax, 0);
}

/** Nothing is traced here, so that `trace_sampled` has nothing to decide. */
function parseMirror(parent: string, from: MirrorMessage): Mirror {
  const where = `${parent}: mirror to "${from.cluster}"`;
  onlyFields(where, from, ["cluster", "runtimeFraction", "traceSampled", "disableShadowHostSuffixAppend"]);
  if (from.cluster === "") throw invalid(where, "no cluster");
  return {
    cluster: from.cluster,
    fraction: fraction(from.runtimeFraction?.defaultValue, 1),
    suffix: !from.disableShadowHostSuffixAppend,
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
    return [{ name: from.cluster, weight: 1, edits, authorityRewrite: undefined, saysHttp: false }];
  }
  if (from.weightedClusters) return parseWeighted(where, from.weightedClusters);
  throw invalid(where, "no cluster");
}

function parseWeighted(where: string, from: WeightedClusterMessage): WeightedCluster[] {
  onlyFields(where, from, ["clusters", "totalWeight", "runtimeKeyPrefix"]);
  const clusters = from.clusters.map((cluster): WeightedCluster => {
    const at = `${where}: weighted cluster "${cluster.name}"`;
    onlyFields(at, cluster, ["name", "weight", ...EDIT_FIELDS, "hostRewriteLiteral", "typedPerFilterConfig"]);
    return {
      name: cluster.name,
      weight: cluster.weight ?? 0,
      edits: parseEdits(at, cluster),
      authorityRewrite: cluster.hostRewriteLiteral,
      ...parseClusterSettings(at, cluster.typedPerFilterConfig),
    };
  });
  if (clusters.every(({ weight }) => weight === 0)) throw invalid(where, "the weights of all clusters are 0");
  return clusters;
}
