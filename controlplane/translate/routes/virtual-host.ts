import type { VirtualHost } from "../../../mesh/xds/gen/envoy/config/route/v3/route_components.ts";
import type { Client } from "../../policy/client.ts";
import type { Scope } from "../memo.ts";

/** What one service port, or one host of a VirtualService that is no service's, is routed by for a client. */
export interface RoutedHost {
  /** `<host>:<port>`, domains and routes, with all that the VirtualService in force says. */
  readonly virtualHost: VirtualHost;
}

/**
 * CONTRACT (H2). The virtual host of a service's HTTP port as a client sees it: name `<hostname>:<port>`; domains are the host
 * name, its short names as the client's namespace sees them (`reviews`, `reviews.ns`, `reviews.ns.svc`, `reviews.ns.mesh`,
 * for `default` also `reviews.mesh`, `reviews.service.consul`), and the service's addresses; routes of the VirtualService that governs it for
 * the client (delegates merged), else the default route.
 */
export type ServiceVirtualHost = (
  scope: Scope,
  client: Client,
  hostname: string,
  port: number,
) => VirtualHost;
