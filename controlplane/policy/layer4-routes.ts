import type { StoredObject } from "../../mesh/model/object.ts";
import type { L4Match, TcpRoute, TlsRoute } from "../../mesh/model/virtual-service.ts";
import { selects } from "../snapshot/labels.ts";
import { MESH_GATEWAY } from "../snapshot/object-lists.ts";
import { isFor, type RoutingClient } from "./virtual-services.ts";

type VirtualService = StoredObject<"VirtualService">;
type TlsMatch = TlsRoute["match"][number];

/** A TCP route with one of its matches that connections of this client may meet. */
export interface ApplicableTcpRoute {
  readonly route: TcpRoute;
  /** Undefined: every connection. */
  readonly match: L4Match | undefined;
  readonly owner: VirtualService;
  readonly index: number;
}

export interface ApplicableTlsRoute {
  readonly route: TlsRoute;
  readonly match: TlsMatch;
  readonly owner: VirtualService;
  readonly index: number;
}

/** In order, up to and including the first that takes every connection. `gateway` as in `applicableHttpRoutes`. */
export function tcpRoutesFor(
  virtualServices: readonly VirtualService[],
  client: RoutingClient,
  port: number,
  gateway: string | undefined,
): readonly ApplicableTcpRoute[] {
  const applicable: ApplicableTcpRoute[] = [];
  for (const owner of virtualServices) {
    for (const [index, route] of owner.spec.tcp.entries()) {
      const matches = route.match.length === 0 ? [undefined] : route.match;
      for (const match of matches) {
        if (match !== undefined && !meets(match, owner, client, port, gateway)) continue;
        applicable.push({ route, match, owner, index });
        if (match === undefined || (match.destinationSubnets.length === 0 && match.sourceSubnet === ""))
          return applicable;
      }
    }
  }
  return applicable;
}

/** In order; the first that a connection meets counts. */
export function tlsRoutesFor(
  virtualServices: readonly VirtualService[],
  client: RoutingClient,
  port: number,
  gateway: string | undefined,
): readonly ApplicableTlsRoute[] {
  return virtualServices.flatMap((owner) =>
    owner.spec.tls.flatMap((route, index) =>
      route.match
        .filter((match) => meets(match, owner, client, port, gateway))
        .map((match) => ({ route, match, owner, index })),
    ),
  );
}

function meets(
  match: L4Match,
  { metadata }: VirtualService,
  client: RoutingClient,
  port: number,
  gateway: string = MESH_GATEWAY,
): boolean {
  return (
    (match.gateways.length === 0 || isFor(match.gateways, metadata.namespace, gateway)) &&
    (match.port === undefined || match.port === port) &&
    (match.sourceNamespace === "" || match.sourceNamespace === client.namespace) &&
    selects(match.sourceLabels, client.labels)
  );
}
