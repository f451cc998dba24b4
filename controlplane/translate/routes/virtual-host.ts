import type { Client } from "../../policy/client.ts";
import { isVisible } from "../../policy/services.ts";
import { governingRoutes } from "../../policy/virtual-services.ts";
import type { Scope } from "../memo.ts";
import { serviceDomains } from "./domains.ts";
import { foreignRoutes } from "./foreign-hosts.ts";
import { defaultHost, governedHost, type RoutedHost } from "./governed-host.ts";

export type { RoutedHost } from "./governed-host.ts";

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
 * The same for a host that only VirtualServices have at a port: see `foreignHosts`. Undefined: none that counts for the
 * client has a route for it there.
 */
export function foreignVirtualHost(
  scope: Scope,
  client: Client,
  host: string,
  port: number,
  before?: RoutedHost,
): RoutedHost | undefined {
  const { view } = scope;
  const governing = foreignRoutes(view, client, host, port);
  if (governing === undefined) return undefined;
  const service = view.service(host);
  const seen = service !== undefined && isVisible(view, service, client.namespace);
  const domains = seen ? serviceDomains(view, service, client.namespace) : [host];
  return governedHost(scope, client, { host, port, domains }, governing, before);
}
