import { Route, VirtualHost } from "../../../mesh/xds/gen/envoy/config/route/v3/route_components.ts";
import { outboundClusterName, routeName } from "../../../mesh/xds/names.ts";
import type { Client } from "../../policy/client.ts";
import { expandDelegates } from "../../policy/delegates.ts";
import type { GoverningRoutes } from "../../policy/virtual-services.ts";
import { keyOf } from "../../snapshot/config-index.ts";
import type { Scope } from "../memo.ts";
import { DestinationResolver } from "./destination-resolver.ts";
import { hashPolicyOf } from "./hash-policy.ts";
import { type Ruling, stayingText, staysInForce } from "./last-good.ts";
import { retryPolicy } from "./retry.ts";
import { plainForward } from "./route-action.ts";
import { routesWith } from "./translate-routes.ts";

/** A port of a service, or a host that only a VirtualService knows, and how calls to it are routed for a client. */
export interface RoutedHost extends Ruling {
  /** Named `<host>:<port>`. Domains are without port: the route configuration has to ignore ports. */
  readonly virtualHost: VirtualHost;
}

/** What a virtual host is for. */
export interface CalledHost {
  readonly host: string;
  readonly port: number;
  readonly domains: readonly string[];
  /** Given for a host at a gateway's server. */
  readonly gateway?: { readonly tls: boolean };
}

/** As a VirtualService says, or as `before` when that stays in force: see `serviceVirtualHost`. */
export function governedHost(
  scope: Scope,
  client: Client,
  { host, port, domains, ...at }: CalledHost,
  { virtualService, routes }: GoverningRoutes,
  before: RoutedHost | undefined,
): RoutedHost {
  const resolver = new DestinationResolver(scope, client, port);
  const translated = routesWith(
    scope,
    { virtualService, routes, client, defaultPort: port, ...at },
    resolver,
  );
  for (const { index, reason } of expandDelegates(scope.view, virtualService).problems) {
    const message = `spec.http[${index}].delegate: ${reason}; it is left out`;
    scope.warn({ subject: keyOf(virtualService), message });
  }
  const after: RoutedHost = {
    virtualHost: virtualHost(routeName(host, port), domains, translated),
    virtualService,
    revision: Math.max(virtualService.revision, ...routes.map(({ owner }) => owner.revision)),
    destinations: resolver.found,
    complete: resolver.complete,
  };
  if (before !== undefined && staysInForce(scope.view, client, before, after)) {
    resolver.warn(stayingText(before));
    return { ...before, virtualHost: { ...before.virtualHost, domains: [...domains] } };
  }
  resolver.warn();
  return after;
}

/** Everything to the service itself. */
export function defaultHost(
  { view }: Scope,
  client: Client,
  { host, port, domains }: CalledHost,
): RoutedHost {
  const service = { hostname: host, port, subset: "" };
  const action = plainForward(outboundClusterName(port, "", host));
  const hash = hashPolicyOf(view, client, service);
  action.hashPolicy = hash === undefined ? [] : [hash];
  // Hashed or not: only a VirtualService's route keeps to the host that a hash leads to, as in Istio.
  action.retryPolicy = retryPolicy(view.settings.mesh.defaultHttpRetryPolicy, false);
  const route = Route.fromPartial({ name: "default", match: { prefix: "/" }, route: action });
  return {
    virtualHost: virtualHost(routeName(host, port), domains, [route]),
    virtualService: undefined,
    revision: 0,
    destinations: [service],
    complete: true,
  };
}

function virtualHost(name: string, domains: readonly string[], routes: readonly Route[]): VirtualHost {
  return VirtualHost.fromPartial({
    name,
    domains: [...domains],
    routes: [...routes],
    includeRequestAttemptCount: true,
  });
}
