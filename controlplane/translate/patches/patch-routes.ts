import type { RouteConfigurationMatch } from "../../../mesh/model/envoy-filter.ts";
import type { RouteConfiguration } from "../../../mesh/xds/gen/envoy/config/route/v3/route.ts";
import type { Route, VirtualHost } from "../../../mesh/xds/gen/envoy/config/route/v3/route_components.ts";
import { editList } from "./edit-list.ts";
import type { Patch, ResourceContext } from "./patch.ts";
import { isMerge, type Patching } from "./patching.ts";

type RouteTarget = "ROUTE_CONFIGURATION" | "VIRTUAL_HOST" | "HTTP_ROUTE";
type Match = RouteConfigurationMatch | undefined;

/** A route configuration with its patches; the same object when there are none for it. */
export function patchRouteConfiguration(
  patching: Patching,
  configuration: RouteConfiguration,
): RouteConfiguration {
  const { name } = configuration;
  const own = patchesFor(patching, "ROUTE_CONFIGURATION", name).filter((patch) => isMerge(patch));
  const hosts = patchesFor(patching, "VIRTUAL_HOST", name);
  const isUntouched = own.length + hosts.length + patchesFor(patching, "HTTP_ROUTE", name).length === 0;
  if (isUntouched) return configuration;
  const patched = own.reduce((merged, patch) => ({ ...patching.merge(patch, merged), name }), configuration);
  const virtualHosts = patched.virtualHosts.flatMap((host) => patchVirtualHost(patching, name, host) ?? []);
  const added = hosts.flatMap(({ operation, value }) =>
    operation === "ADD" && value !== undefined ? [value.message] : [],
  );
  return { ...patched, virtualHosts: [...virtualHosts, ...added] };
}

/** A virtual host of the route configuration of that name; undefined when a patch removes it. */
export function patchVirtualHost(
  patching: Patching,
  configuration: string,
  host: VirtualHost,
): VirtualHost | undefined {
  let patched = host;
  for (const patch of patchesFor(patching, "VIRTUAL_HOST", configuration)) {
    if (!matchesHost(patch.match.route, patched)) continue;
    if (patch.operation === "REMOVE") return undefined;
    if (isMerge(patch)) patched = patching.merge(patch, patched);
    if (patch.operation === "REPLACE") patched = patch.value?.message ?? patched;
  }
  const patches = patchesFor(patching, "HTTP_ROUTE", configuration).filter(({ match }) =>
    matchesHost(match.route, patched),
  );
  return patches.length === 0
    ? patched
    : { ...patched, routes: patchRoutes(patching, patches, patched.routes) };
}

/** First what goes and what is merged, which may be every route; then what comes. */
function patchRoutes(
  patching: Patching,
  patches: readonly Patch<"HTTP_ROUTE">[],
  routes: readonly Route[],
): Route[] {
  let patched = routes.flatMap((route) => patchRoute(patching, patches, route) ?? []);
  for (const { match, operation, value } of patches) {
    if (operation === "REMOVE") continue;
    const wanted = match.route?.virtualHost?.route;
    const chosen = wanted && ((route: Route) => matchesRoute(match.route, route));
    // First of all, but only where there is a route that the patch is about.
    if (operation === "INSERT_FIRST" && chosen !== undefined && !patched.some(chosen)) continue;
    patched = editList(patched, { operation, value: value?.message, chosen });
  }
  return patched;
}

function patchRoute(
  patching: Patching,
  patches: readonly Patch<"HTTP_ROUTE">[],
  route: Route,
): Route | undefined {
  let patched = route;
  for (const patch of patches) {
    if (!matchesRoute(patch.match.route, patched)) continue;
    if (patch.operation === "REMOVE") return undefined;
    if (isMerge(patch)) patched = patching.merge(patch, patched);
  }
  return patched;
}

function patchesFor<T extends RouteTarget>(
  patching: Patching,
  applyTo: T,
  configuration: string,
): readonly Patch<T>[] {
  return patching
    .patches(applyTo)
    .filter(({ match }) => matchesConfiguration(match.route, configuration, patching.context));
}

/** Of a gateway's route configurations the name says port, port's name and Gateway; of a sidecar's the port. */
function matchesConfiguration(match: Match, name: string, context: ResourceContext): boolean {
  if (match === undefined) return true;
  if (match.name !== "" && match.name !== name) return false;
  if (context !== "GATEWAY") return match.portNumber === undefined || match.portNumber === portOf(name);
  const known = gatewayParts(name);
  return (
    (match.portNumber === undefined || match.portNumber === known.port) &&
    (match.portName === "" || match.portName === known.portName) &&
    (match.gateway === "" || match.gateway === known.gateway)
  );
}

/** Of `9080`, `reviews.default.svc.cluster.local:9080` and `inbound|9080||`. */
function portOf(name: string): number {
  return Number(/^inbound\|(\d+)\|/.exec(name)?.[1] ?? /(?:^|:)(\d+)$/.exec(name)?.[1]);
}

interface GatewayParts {
  readonly port: number;
  readonly portName: string;
  /** `namespace/name`. */
  readonly gateway: string;
}

/** `http.80`, or `https.<port>.<port's name>.<gateway>.<namespace>`; a bind address may follow. */
function gatewayParts(name: string): GatewayParts {
  const [protocol, port, portName = "", gateway, namespace] = name.split(".");
  if (protocol !== "https" || gateway === undefined || namespace === undefined)
    return { port: Number(port), portName: "", gateway: "" };
  return { port: Number(port), portName, gateway: `${namespace}/${gateway}` };
}

function matchesHost(match: Match, host: VirtualHost): boolean {
  const wanted = match?.virtualHost;
  if (wanted === undefined) return true;
  const { name, domainName } = wanted;
  return (name === "" || name === host.name) && (domainName === "" || host.domains.includes(domainName));
}

function matchesRoute(match: Match, route: Route): boolean {
  const wanted = match?.virtualHost?.route;
  if (wanted === undefined) return true;
  if (wanted.name !== "" && wanted.name !== route.name) return false;
  switch (wanted.action) {
    case "ANY":
      return true;
    case "ROUTE":
      return route.route !== undefined;
    case "REDIRECT":
      return route.redirect !== undefined;
    case "DIRECT_RESPONSE":
      return route.directResponse !== undefined;
    default:
      return wanted.action satisfies never;
  }
}
