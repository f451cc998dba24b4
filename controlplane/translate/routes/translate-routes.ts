import type { StoredObject } from "../../../mesh/model/object.ts";
import { Route } from "../../../mesh/xds/gen/envoy/config/route/v3/route_components.ts";
import type { Client } from "../../policy/client.ts";
import type { ApplicableRoute } from "../../policy/http-routes.ts";
import { saidHttp } from "../clusters/said-http.ts";
import { configMetadata } from "../config-metadata.ts";
import type { Scope } from "../memo.ts";
import { corsConfig } from "./cors.ts";
import { DestinationResolver } from "./destination-resolver.ts";
import { directResponse } from "./direct-response.ts";
import { faultConfig } from "./fault.ts";
import { hashPolicyOf } from "./hash-policy.ts";
import { headerFields } from "./headers.ts";
import { type CalledAt, redirectAction } from "./redirect.ts";
import { forwardAction, loneDestination } from "./route-action.ts";
import { routeMatch } from "./route-match.ts";

export interface RoutesToTranslate {
  /** What the routes are of, with its delegates': they name it in their metadata. */
  readonly virtualService: StoredObject<"VirtualService">;
  readonly routes: readonly ApplicableRoute[];
  readonly client: Client;
  /** The port that was called: destinations without a port, of services with several, mean it. */
  readonly defaultPort: number;
  /** Whether the calls come to a gateway's server, and how. */
  readonly gateway?: { readonly tls: boolean };
}

/**
 * Routes of a VirtualService, in order. `resolver` tells afterwards where they lead and what is missing: calls to that
 * fail with 503.
 */
export function routesWith(scope: Scope, wanted: RoutesToTranslate, resolver: DestinationResolver): Route[] {
  const { virtualService, routes, defaultPort, gateway } = wanted;
  const metadata = configMetadata(virtualService);
  const called = { port: defaultPort, tls: gateway?.tls ?? false };
  return routes.map((applicable) => {
    const { route, match } = applicable;
    const lone = loneDestination(route);
    const action = actionOf(scope, wanted, applicable, called, resolver);
    return Route.fromPartial({
      name: match?.name ? `${route.name}.${match.name}` : route.name,
      match: routeMatch(match),
      metadata,
      statPrefix: match?.statPrefix ?? "",
      ...action,
      ...headerFields(route.headers, ...(action.route && lone ? [lone.headers] : [])),
      typedPerFilterConfig: {
        ...action.typedPerFilterConfig,
        ...faultConfig(route.fault),
        ...corsConfig(route.cors),
      },
    });
  });
}

function actionOf(
  scope: Scope,
  { client }: RoutesToTranslate,
  { route, owner, index }: ApplicableRoute,
  called: CalledAt,
  resolver: DestinationResolver,
): Partial<Pick<Route, "route" | "redirect" | "directResponse" | "typedPerFilterConfig">> {
  if (route.redirect !== undefined) return { redirect: redirectAction(route.redirect, called) };
  if (route.directResponse !== undefined) return { directResponse: directResponse(route.directResponse) };
  return forwardAction(route, {
    resolve: (destination, path, consequence) =>
      resolver.resolve(destination, owner, `spec.http[${index}].${path}`, consequence),
    hashPolicy: (destination) => hashPolicyOf(scope.view, client, destination),
    saidHttp: (destination) => saidHttp(scope.view, client, destination),
    defaultRetries: scope.view.settings.mesh.defaultHttpRetryPolicy,
  });
}
