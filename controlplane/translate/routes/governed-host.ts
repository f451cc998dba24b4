import type { StoredObject } from "../../../mesh/model/object.ts";
import { Route, VirtualHost } from "../../../mesh/xds/gen/envoy/config/route/v3/route_components.ts";
import { outboundClusterName, routeName } from "../../../mesh/xds/names.ts";
import type { Client } from "../../policy/client.ts";
import { expandDelegates } from "../../policy/delegates.ts";
import type { Governing } from "../../policy/virtual-services.ts";
import { keyOf } from "../../snapshot/config-index.ts";
import type { SnapshotView } from "../../snapshot/snapshot-view.ts";
import { saidHttp } from "../clusters/said-http.ts";
import type { ServiceDestination } from "../destinations.ts";
import { sayingHttp } from "../filters/alpn-filters.ts";
import type { Scope } from "../memo.ts";
import { DestinationResolver, type MissingDestination } from "./destination-resolver.ts";
import { hashPolicyOf } from "./hash-policy.ts";
import { type Attempt, lastGood } from "./last-good.ts";
import { retryPolicy } from "./retry.ts";
import { plainForward } from "./route-action.ts";
import { routesWith } from "./translate-routes.ts";

type VirtualService = StoredObject<"VirtualService">;

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
 * or delegates to what does not exist, the one that was in force before it stays: see `lastGood`. Without one, calls to
 * what does not exist fail with 503, and routes that delegate to it are left out.
 */
export function governedHost(
  scope: Scope,
  client: Client,
  called: CalledHost,
  govern: (view: SnapshotView) => Governing,
): RoutedHost | undefined {
  const newest = govern(scope.view);
  const asked = [...newest.lost, ...(newest.governing ? [newest.governing.virtualService] : [])];
  if (asked.length === 0) return undefined;
  for (const virtualService of asked) warnOfDelegates(scope, virtualService);
  return lastGood(scope, hostAs(scope, client, called, newest, scope.view), (view) => {
    const before = govern(view);
    const key = before.governing && keyOf(before.governing.virtualService);
    const isSame = asked.some((one) => keyOf(one) === key);
    return isSame ? hostAs(scope, client, called, before, view) : undefined;
  });
}

/** Delegates that are there and yet do not count, or not with all that they say. */
function warnOfDelegates({ view, warn }: Scope, virtualService: VirtualService): void {
  for (const { index, reason, absent } of expandDelegates(view, virtualService).problems) {
    const message = `spec.http[${index}].delegate: ${reason}; it is left out`;
    if (!absent) warn({ subject: keyOf(virtualService), message });
  }
}

function missingDelegates(
  view: SnapshotView,
  virtualService: VirtualService,
  consequence: string,
): readonly MissingDestination[] {
  const absent = expandDelegates(view, virtualService).problems.filter((problem) => problem.absent);
  return absent.map(({ index, reason }) => {
    return { owner: virtualService, message: `spec.http[${index}].delegate: ${reason}`, consequence };
  });
}

const NOTHING_LEFT = "no route is left: its calls go as if it were not there";

function hostAs(
  scope: Scope,
  client: Client,
  { host, port, domains, ...at }: CalledHost,
  { governing, lost }: Governing,
  view: SnapshotView,
): Attempt<RoutedHost | undefined> {
  const lacking = lost.flatMap((one) => missingDelegates(view, one, NOTHING_LEFT));
  if (governing === undefined) return { said: undefined, missing: lacking };
  const { virtualService, routes } = governing;
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
  const ownLacking = missingDelegates(view, virtualService, "it is left out");
  return { said, missing: [...lacking, ...ownLacking, ...resolver.missing] };
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
  const route = Route.fromPartial({
    name: "default",
    match: { prefix: "/" },
    route: action,
    typedPerFilterConfig: sayingHttp(saidHttp(view, client, service)),
  });
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
