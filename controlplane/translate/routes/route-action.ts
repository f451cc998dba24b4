import type {
  HttpRedirect,
  HttpRewrite,
  HttpRoute,
  HttpRouteDestination,
} from "../../../mesh/model/virtual-service.ts";
import {
  DirectResponseAction,
  RedirectAction,
  RedirectAction_RedirectResponseCode as RedirectCode,
  type Route,
  RouteAction,
  WeightedCluster_ClusterWeight,
} from "../../../mesh/xds/gen/envoy/config/route/v3/route_components.ts";
import { BLACK_HOLE_CLUSTER } from "../../../mesh/xds/names.ts";
import { weighted } from "../destinations.ts";
import { duration } from "../durations.ts";
import { authorityFrom, headerFields } from "./headers.ts";
import { retryPolicy } from "./retry.ts";

/** Names the cluster of a destination. */
export type ClusterNamer = (destination: HttpRouteDestination["destination"]) => string;

/** What a route does: redirect, answer by itself, or forward. */
export function routeAction(
  route: HttpRoute,
  clusterName: ClusterNamer,
): Pick<Route, "route" | "redirect" | "directResponse"> {
  if (route.redirect !== undefined) return { redirect: redirectAction(route.redirect) };
  if (route.directResponse !== undefined) {
    const { status, body } = route.directResponse;
    return {
      directResponse: DirectResponseAction.fromPartial({
        status,
        ...(body === "" ? {} : { body: { inlineString: body } }),
      }),
    };
  }
  return { route: forwardAction(route, clusterName) };
}

const REDIRECT_CODES: Readonly<Record<HttpRedirect["code"], RedirectCode>> = {
  301: RedirectCode.MOVED_PERMANENTLY,
  302: RedirectCode.FOUND,
  303: RedirectCode.SEE_OTHER,
  307: RedirectCode.TEMPORARY_REDIRECT,
  308: RedirectCode.PERMANENT_REDIRECT,
};

function redirectAction({ uri, authority, scheme, port, code }: HttpRedirect): RedirectAction {
  return RedirectAction.fromPartial({
    hostRedirect: authority,
    portRedirect: port ?? 0,
    responseCode: REDIRECT_CODES[code],
    ...(uri === "" ? {} : { pathRedirect: uri }),
    ...(scheme === "" ? {} : { schemeRedirect: scheme }),
  });
}

/** To one cluster with Istio's defaults; `0s` is without limit. */
export function plainForward(cluster: string): RouteAction {
  return RouteAction.fromPartial({ cluster, timeout: duration(0) });
}

function forwardAction(route: HttpRoute, clusterName: ClusterNamer): RouteAction {
  const retry = retryPolicy(route.retries);
  return RouteAction.fromPartial({
    ...clusters(route, clusterName),
    ...rewrite(route.rewrite),
    ...hostRewrite(route.rewrite?.authority || authorityFrom(route.headers)),
    timeout: duration(route.timeoutMs ?? 0),
    ...(retry && { retryPolicy: retry }),
  });
}

function clusters(
  { route }: HttpRoute,
  clusterName: ClusterNamer,
): Pick<RouteAction, "cluster"> | { weightedClusters: { clusters: WeightedCluster_ClusterWeight[] } } {
  const chosen = weighted(route);
  const [first, ...others] = chosen;
  if (first === undefined) return { cluster: BLACK_HOLE_CLUSTER };
  if (others.length === 0 && !editsHeaders(first)) return { cluster: clusterName(first.destination) };
  return {
    weightedClusters: {
      clusters: chosen.map(({ destination, weight, headers }) =>
        WeightedCluster_ClusterWeight.fromPartial({
          name: clusterName(destination),
          // A lone destination gets everything, whatever weight it was given.
          weight: others.length === 0 ? 1 : weight,
          ...headerFields(headers),
          ...hostRewrite(authorityFrom(headers)),
        }),
      ),
    },
  };
}

function editsHeaders({ headers }: HttpRouteDestination): boolean {
  return (
    authorityFrom(headers) !== undefined ||
    Object.values(headerFields(headers)).some((list: readonly unknown[]) => list.length > 0)
  );
}

/** Envoy puts it in the place of what matched: a prefix, or the whole path of an exact or regex match. */
function rewrite(rewriteRule: HttpRewrite | undefined): { prefixRewrite?: string } {
  return rewriteRule === undefined || rewriteRule.uri === "" ? {} : { prefixRewrite: rewriteRule.uri };
}

function hostRewrite(authority: string | undefined): { hostRewriteLiteral?: string } {
  return authority === undefined ? {} : { hostRewriteLiteral: authority };
}
