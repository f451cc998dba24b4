import type { StoredObject } from "../../../mesh/model/object.ts";
import { Route, VirtualHost } from "../../../mesh/xds/gen/envoy/config/route/v3/route_components.ts";
import { outboundClusterName, routeName } from "../../../mesh/xds/names.ts";
import type { Client } from "../../policy/client.ts";
import { expandDelegates } from "../../policy/delegates.ts";
import type { GoverningRoutes } from "../../policy/virtual-services.ts";
import { keyOf } from "../../snapshot/config-index.ts";
import type { SnapshotView } from "../../snapshot/snapshot-view.ts";
import type { ServiceDestination } from "../destinations.ts";
import type { Scope } from "../memo.ts";
import { DestinationResolver } from "./destination-resolver.ts";
import { hashPolicyOf } from "./hash-policy.ts";
import { type Attempt, lastGood } from "./last-good.ts";
import { retryPolicy } from "./retry.ts";
import { plainForward } from "./route-action.ts";
import { routesWith } from "./translate-routes.ts";

/** A port of a service, or a host that only a VirtualService knows, and how calls to it are routed for a client. */
export interface RoutedHost {
  /** In the revision that is in force; undefined: the service's default route. */
  readonly virtualService: StoredObject<"VirtualService"> | undefined;
  /** Where its routes and mirrors lead, each once. What does not exist is not among them. */
  readonly destinations: readonly ServiceDestination[];
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

/**
 * As VirtualServices say, `govern` being what they say as a view has them; undefined: nothing. When a newest revision leads
 * to what does not exist, the one that was in force before it stays: see `lastGood`. Without one, calls to what does not
 * exist fail with 503.
 */
export function governedHost(
  scope: Scope,
  client: Client,
  called: CalledHost,
  govern: (view: SnapshotView) => GoverningRoutes | undefined,
): RoutedHost | undefined {
  const newest = govern(scope.view);
  if (newest === undefined) return undefined;
  const { virtualService } = newest;
  for (const { index, reason } of expandDelegates(scope.view, virtualService).problems) {
    const message = `spec.http[${index}].delegate: ${reason}; it is left out`;
    scope.warn({ subject: keyOf(virtualService), message });
  }
  return lastGood(scope, hostAs(scope, client, called, newest), (view) => {
    const before = govern(view);
    const isSame = before !== undefined && keyOf(before.virtualService) === keyOf(virtualService);
    return isSame ? hostAs(scope, client, called, before) : undefined;
  });
}

function hostAs(
  scope: Scope,
  client: Client,
  { host, port, domains, ...at }: CalledHost,
  { virtualService, routes }: GoverningRoutes,
): Attempt<RoutedHost> {
  const resolver = new DestinationResolver(scope, client, port);
  const translated = routesWith(
    scope,
    { virtualService, routes, client, defaultPort: port, ...at },
    resolver,
  );
  const said = {
    virtualHost: virtualHost(routeName(host, port), domains, translated),
    virtualService,
    destinations: resolver.found,
  };
  return { said, missing: resolver.missing };
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
    destinations: [service],
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
