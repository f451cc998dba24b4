import { hostMatches } from "../../../mesh/model/hosts.ts";
import type { Client } from "../../policy/client.ts";
import { applicableHttpRoutes } from "../../policy/http-routes.ts";
import { isVisible } from "../../policy/services.ts";
import { governingRoutes, meshVirtualServices } from "../../policy/virtual-services.ts";
import type { SnapshotView } from "../../snapshot/snapshot-view.ts";
import type { Scope } from "../memo.ts";
import { serviceDomains } from "./domains.ts";
import { defaultHost, governedHost, type RoutedHost } from "./governed-host.ts";

export type { RoutedHost } from "./governed-host.ts";

/** Port at which a host is called that no registry knows, as in Istio. */
const FOREIGN_PORT = 80;

/**
 * How a client's calls to a port of a service are routed. `before` is what was in force until now: when a newer revision of
 * the same VirtualService leads to what does not exist, and all that `before` leads to still does, `before` stays, and a
 * warning says so. Without it, calls to what does not exist fail with 503.
 */
export function serviceVirtualHost(
  scope: Scope,
  client: Client,
  hostname: string,
  port: number,
  before?: RoutedHost,
): RoutedHost {
  const { view } = scope;
  const service = view.service(hostname);
  const domains = service === undefined ? [hostname] : serviceDomains(view, service, client.namespace);
  const called = { host: hostname, port, domains };
  const governing = governingRoutes(view, client, hostname, port);
  return governing === undefined
    ? defaultHost(scope, client, called)
    : governedHost(scope, client, called, governing, before);
}

/**
 * The same for a host that a VirtualService names and no registry knows, or knows without this port. Undefined: no
 * VirtualService that counts for the client has a route for it. `host` is as in the VirtualService, and may be a wildcard.
 */
export function foreignVirtualHost(
  scope: Scope,
  client: Client,
  host: string,
  before?: RoutedHost,
): RoutedHost | undefined {
  const { view } = scope;
  const pattern = host.toLowerCase();
  if (isServed(view, client, pattern)) return undefined;
  const called = { host: pattern, port: FOREIGN_PORT, domains: [pattern] };
  for (const virtualService of meshVirtualServices(view, client, pattern)) {
    const routes = applicableHttpRoutes(view, virtualService, client, FOREIGN_PORT, undefined);
    if (routes.length > 0) return governedHost(scope, client, called, { virtualService, routes }, before);
  }
  return undefined;
}

/** Whether the client sees a service behind a host, at the port of foreign ones. */
function isServed(view: SnapshotView, client: Client, pattern: string): boolean {
  const hosts = pattern.startsWith("*") ? view.hosts.filter((host) => hostMatches(pattern, host)) : [pattern];
  return hosts.some((host) => {
    const service = view.service(host);
    return (
      service !== undefined &&
      isVisible(view, service, client.namespace) &&
      service.ports.some(({ number }) => number === FOREIGN_PORT)
    );
  });
}
