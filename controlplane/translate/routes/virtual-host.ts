import type { Client } from "../../policy/client.ts";
import { serviceFor } from "../../policy/services.ts";
import { governingRoutes } from "../../policy/virtual-services.ts";
import type { Scope } from "../memo.ts";
import { serviceDomains } from "./domains.ts";
import { foreignRoutes } from "./foreign-hosts.ts";
import { defaultHost, governedHost, type RoutedHost } from "./governed-host.ts";

export type { RoutedHost } from "./governed-host.ts";

/** How a client's calls to a port of a service are routed. */
export function serviceVirtualHost(scope: Scope, client: Client, hostname: string, port: number): RoutedHost {
  const service = serviceFor(scope.view, hostname, client);
  const domains = service === undefined ? [hostname] : serviceDomains(scope.view, service, client);
  const called = { host: hostname, port, domains };
  return (
    governedHost(scope, client, called, (view) => governingRoutes(view, client, hostname, port)) ??
    defaultHost(scope, client, called)
  );
}

/**
 * The same for a host that only VirtualServices have at a port: see `foreignHosts`. Undefined: none that counts for the
 * client has a route for it there.
 */
export function foreignVirtualHost(
  scope: Scope,
  client: Client,
  host: string,
  port: number,
): RoutedHost | undefined {
  const { view } = scope;
  const service = serviceFor(view, host, client);
  const domains = service === undefined ? [host] : serviceDomains(view, service, client);
  return governedHost(scope, client, { host, port, domains }, (as) => foreignRoutes(as, client, host, port));
}
