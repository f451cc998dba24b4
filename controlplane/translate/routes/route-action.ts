import { formatPath } from "../../../mesh/model/finding.ts";
import type { HttpRewrite, HttpRoute, RetryPolicy } from "../../../mesh/model/virtual-service.ts";
import {
  type Route,
  RouteAction,
  type RouteAction_HashPolicy,
  RouteAction_MaxStreamDuration,
  type RouteAction_RequestMirrorPolicy,
  WeightedCluster_ClusterWeight,
} from "../../../mesh/xds/gen/envoy/config/route/v3/route_components.ts";
import { BLACK_HOLE_CLUSTER } from "../../../mesh/xds/names.ts";
import { mirrorsOf } from "../../policy/mirrors.ts";
import { clusterOf, type ResolvedDestination, type ServiceDestination, weighted } from "../destinations.ts";
import { duration } from "../durations.ts";
import { type SaidHttp, sayingHttp } from "../filters/alpn-filters.ts";
import { fraction } from "./fractions.ts";
import { authorityFrom, headerFields } from "./headers.ts";
import { retryPolicy } from "./retry.ts";

type Destination = HttpRoute["route"][number];

/** What a forwarding route needs to know beside itself. */
export interface Forwarding {
  /** `path` is the destination's field in the route, for messages; see `DestinationResolver`. */
  readonly resolve: (
    destination: Destination["destination"],
    path: string,
    consequence: string,
  ) => ResolvedDestination;
  readonly hashPolicy: (destination: ServiceDestination) => RouteAction_HashPolicy | undefined;
  readonly saidHttp: (destination: ServiceDestination) => SaidHttp | undefined;
  /** Where the route says nothing about retries. */
  readonly defaultRetries: RetryPolicy | undefined;
}

interface Chosen extends Destination {
  readonly resolved: ResolvedDestination;
  readonly saidHttp: SaidHttp | undefined;
}

/** To one cluster with Istio's defaults; `0s` is without limit, and a gRPC call's own deadline is kept. */
export function plainForward(cluster: string): RouteAction {
  return RouteAction.fromPartial({ cluster, ...timeouts(0) });
}

/** To the destinations of a route. The header edits of a lone destination are the route's: see `loneDestination`. */
export function forwardAction(
  route: HttpRoute,
  forwarding: Forwarding,
): Pick<Route, "route" | "typedPerFilterConfig"> {
  const chosen = weighted(route.route).map((one): Chosen => {
    const path = `route[${route.route.indexOf(one)}].destination`;
    const resolved = forwarding.resolve(one.destination, path, "its requests fail");
    const saidHttp = resolved.kind === "found" ? forwarding.saidHttp(resolved) : undefined;
    return { ...one, resolved, saidHttp };
  });
  const hashPolicy = chosen.flatMap(({ resolved }) =>
    resolved.kind === "found" ? (forwarding.hashPolicy(resolved) ?? []) : [],
  );
  // Where several destinations share the calls, one hash does not bind them to a host.
  const hashed = route.route.length === 1 && hashPolicy.length > 0;
  const retry = retryPolicy(route.retries ?? forwarding.defaultRetries, hashed);
  const lone = loneDestination(route);
  const authority =
    route.rewrite?.authority || authorityFrom(route.headers) || (lone && authorityFrom(lone.headers));
  const action = RouteAction.fromPartial({
    ...clusters(chosen),
    ...pathRewrite(route.rewrite),
    ...hostRewrite(authority),
    ...timeouts(route.timeoutMs ?? 0),
    hashPolicy,
    requestMirrorPolicies: mirrors(route, forwarding),
    ...(retry && { retryPolicy: retry }),
  });
  const [only, ...others] = chosen;
  return {
    route: action,
    typedPerFilterConfig: sayingHttp(others.length === 0 ? only?.saidHttp : undefined),
  };
}

/** The destination that gets all calls of a route; undefined when several share them. */
export function loneDestination({ route }: HttpRoute): Destination | undefined {
  const [first, ...others] = weighted(route);
  return others.length === 0 ? first : undefined;
}

function clusters(
  chosen: readonly Chosen[],
): Pick<RouteAction, "cluster"> | { weightedClusters: { clusters: WeightedCluster_ClusterWeight[] } } {
  const [first, ...others] = chosen;
  if (first === undefined) return { cluster: BLACK_HOLE_CLUSTER };
  if (others.length === 0) return { cluster: clusterOf(first.resolved) };
  return {
    weightedClusters: {
      clusters: chosen.map(({ resolved, weight, headers, saidHttp }) =>
        WeightedCluster_ClusterWeight.fromPartial({
          name: clusterOf(resolved),
          weight,
          typedPerFilterConfig: sayingHttp(saidHttp),
          ...headerFields(headers),
          ...hostRewrite(authorityFrom(headers)),
        }),
      ),
    },
  };
}

/** A mirror without a destination, or one that gets nothing, is left out. Copies are for the host of the original. */
function mirrors(route: HttpRoute, { resolve }: Forwarding): Partial<RouteAction_RequestMirrorPolicy>[] {
  return mirrorsOf(route).flatMap(({ destination, percent, path }) => {
    if (percent === 0) return [];
    const resolved = resolve(destination, formatPath(path), "nothing is mirrored there");
    if (resolved.kind === "missing") return [];
    return [
      {
        cluster: clusterOf(resolved),
        runtimeFraction: { defaultValue: fraction(percent), runtimeKey: "" },
        traceSampled: false,
        disableShadowHostSuffixAppend: true,
      },
    ];
  });
}

/**
 * The whole path by a regular expression, or what matched: Envoy puts `prefix_rewrite` in the place of a prefix, and of the
 * whole path where the match is exact or a regular expression.
 */
function pathRewrite(rewrite: HttpRewrite | undefined): Partial<RouteAction> {
  if (rewrite?.uriRegex !== undefined) {
    const { match, rewrite: substitution } = rewrite.uriRegex;
    return { regexRewrite: { pattern: { regex: match, googleRe2: undefined }, substitution } };
  }
  return rewrite === undefined || rewrite.uri === "" ? {} : { prefixRewrite: rewrite.uri };
}

function hostRewrite(authority: string | undefined): { hostRewriteLiteral?: string } {
  return authority === undefined || authority === "" ? {} : { hostRewriteLiteral: authority };
}

/**
 * `0s` is without limit, and then a gRPC caller's own deadline counts. With a limit that is all that counts: Envoy looks at
 * `timeout` no longer once anything is said of the stream's duration, whose end is no 504.
 */
function timeouts(
  ms: number,
): Pick<RouteAction, "timeout"> & Partial<Pick<RouteAction, "maxStreamDuration">> {
  if (ms > 0) return { timeout: duration(ms) };
  return {
    timeout: duration(0),
    maxStreamDuration: RouteAction_MaxStreamDuration.fromPartial({ grpcTimeoutHeaderMax: duration(0) }),
  };
}
