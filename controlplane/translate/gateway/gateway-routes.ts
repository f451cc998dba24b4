import type { StoredObject } from "../../../mesh/model/object.ts";
import { RouteConfiguration } from "../../../mesh/xds/gen/envoy/config/route/v3/route.ts";
import {
  Route,
  type RouteMatch,
  VirtualHost_TlsRequirementType as TlsRequirement,
  VirtualHost,
} from "../../../mesh/xds/gen/envoy/config/route/v3/route_components.ts";
import { routeName as hostName } from "../../../mesh/xds/names.ts";
import { virtualServicesAt } from "../../policy/gateway-virtual-services.ts";
import type { BoundServer } from "../../policy/gateways.ts";
import { applicableHttpRoutes } from "../../policy/http-routes.ts";
import { keyOf } from "../../snapshot/config-index.ts";
import { by } from "../../snapshot/text-order.ts";
import type { Scope } from "../memo.ts";
import { governedHost, type RoutedHost } from "../routes/governed-host.ts";
import type { GatewayClass } from "./gateway-class.ts";

interface Host {
  readonly routes: Route[];
  redirected: boolean;
}

/**
 * The routes of the servers that share a route configuration: a virtual host for each host, with the routes of all
 * VirtualServices for it one after the other. A gateway without any answers 404.
 */
export function gatewayRoutes(
  scope: Scope,
  of: GatewayClass,
  name: string,
  servers: readonly BoundServer[],
): RouteConfiguration {
  const hosts = new Map<string, Host>();
  const hostOf = (host: string): Host => {
    const known = hosts.get(host) ?? { routes: [], redirected: false };
    hosts.set(host, known);
    return known;
  };
  const translated = new Map<string, readonly Route[]>();
  for (const bound of servers) {
    const redirects = bound.server.tls?.httpsRedirect ?? false;
    for (const { virtualService, hosts: shared } of virtualServicesAt(
      scope.view,
      bound,
      of.client.namespace,
    )) {
      const key = `${bound.gatewayKey} ${keyOf(virtualService)}`;
      const routes = translated.get(key) ?? routesOf(scope, of, bound, virtualService);
      translated.set(key, routes);
      // One that routes bytes alone must not hide what a wildcard says of its hosts.
      if (routes.length === 0 && !redirects) continue;
      for (const host of shared) hostOf(host).routes.push(...routes);
      if (redirects) for (const host of shared) hostOf(host).redirected = true;
    }
    if (redirects) for (const { host } of bound.hosts) hostOf(host.toLowerCase()).redirected = true;
  }
  const port = servers[0]?.server.port.number ?? 0;
  const virtualHosts = [...hosts].map(([host, { routes, redirected }]) =>
    virtualHost(host, port, catchAllsLast(routes), redirected),
  );
  return RouteConfiguration.fromPartial({
    name,
    virtualHosts: virtualHosts.length > 0 ? virtualHosts.sort(by((one) => one.name)) : [nothing(port)],
    validateClusters: false,
    ignorePortInHostMatching: true,
  });
}

/** What a VirtualService says at a server; an earlier revision of it where the new one leads to what does not exist. */
function routesOf(
  scope: Scope,
  of: GatewayClass,
  { gatewayKey, server }: BoundServer,
  virtualService: StoredObject<"VirtualService">,
): readonly Route[] {
  const { number: port } = server.port;
  const gateway = { tls: server.tls !== undefined };
  const key = keyOf(virtualService);
  const governed = scope.get<RoutedHost | undefined>(
    `gateway-routes/${of.key}/${gatewayKey}/${port}/${gateway.tls}/${key}`,
    (inner) =>
      governedHost(inner, of.client, { host: gatewayKey, port, domains: [], gateway }, (view) => {
        const current = view.virtualServicesOf(gatewayKey).find((one) => keyOf(one) === key);
        if (current === undefined) return { governing: undefined, lost: [] };
        const routes = applicableHttpRoutes(view, current, of.client, port, gatewayKey);
        return { governing: { virtualService: current, routes }, lost: [] };
      }),
  );
  return governed?.virtualHost.routes ?? [];
}

function virtualHost(host: string, port: number, routes: readonly Route[], redirected: boolean): VirtualHost {
  return VirtualHost.fromPartial({
    name: hostName(host, port),
    domains: [host],
    routes: [...routes],
    includeRequestAttemptCount: true,
    ...(redirected ? { requireTls: TlsRequirement.ALL } : {}),
  });
}

function nothing(port: number): VirtualHost {
  return VirtualHost.fromPartial({ name: hostName("blackhole", port), domains: ["*"] });
}

/** What takes every request would hide the routes of the VirtualServices behind it. */
function catchAllsLast(routes: readonly Route[]): readonly Route[] {
  return [
    ...routes.filter(({ match }) => !takesAll(match)),
    ...routes.filter(({ match }) => takesAll(match)),
  ];
}

function takesAll(match: RouteMatch | undefined): boolean {
  if (match === undefined) return true;
  const anyPath = match.prefix === "/" || /^\.?\*$/.test(match.safeRegex?.regex ?? "");
  const asked = [match.headers, match.queryParameters, match.dynamicMetadata];
  return anyPath && asked.every(({ length }) => length === 0);
}
