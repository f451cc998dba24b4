import type { StoredObject } from "../../../mesh/model/object.ts";
import type { TcpRoute } from "../../../mesh/model/virtual-service.ts";
import type { Client } from "../../policy/client.ts";
import { tcpRoutesFor, tlsRoutesFor } from "../../policy/layer4-routes.ts";
import { keyOf } from "../../snapshot/config-index.ts";
import type { SnapshotView } from "../../snapshot/snapshot-view.ts";
import { clusterOf, type ServiceDestination, weighted } from "../destinations.ts";
import type { WeightedName } from "../filters/network-filters.ts";
import type { Scope } from "../memo.ts";
import { DestinationResolver, type MissingDestination } from "./destination-resolver.ts";
import { type Attempt, lastGood } from "./last-good.ts";

type VirtualService = StoredObject<"VirtualService">;
type RouteDestination = TcpRoute["route"][number];

/** Which routes of a VirtualService count: those of connections, or of TLS by server name. */
export type Layer4Kind = "tcp" | "tls";

/** A match of a TCP or TLS route, and where it leads. */
export interface RuledRoute {
  /** In lower case, `*.example.com` among them; empty: any. Always empty for TCP. */
  readonly sniHosts: readonly string[];
  /** CIDR blocks and addresses; empty: those of the service. */
  readonly destinationSubnets: readonly string[];
  /** CIDR block or address; empty: any. */
  readonly sourceSubnet: string;
  /** Never empty. */
  readonly clusters: readonly WeightedName[];
  /** Where the clusters lead; what does not exist leads to the black hole and is not in it. */
  readonly destinations: readonly ServiceDestination[];
}

/** What one VirtualService says of the connections of one client, in order. */
export interface Layer4Ruling {
  /** In the revision that is in force. */
  readonly virtualService: VirtualService;
  readonly routes: readonly RuledRoute[];
}

/** The connections that are asked about. */
export interface AskedConnections {
  readonly client: Client;
  readonly kind: Layer4Kind;
  readonly port: number;
  /** `namespace/name` of the gateway that asks; undefined: a sidecar. */
  readonly gateway: string | undefined;
}

/**
 * What each VirtualService says, up to and including one that takes every TCP connection. `virtualServices` are those that
 * count, in order, as a view has them. What stays in force of one is decided by itself: see `lastGood`.
 */
export function layer4Rulings(
  scope: Scope,
  asked: AskedConnections,
  virtualServices: (view: SnapshotView) => readonly VirtualService[],
): readonly Layer4Ruling[] {
  const rulings: Layer4Ruling[] = [];
  for (const one of virtualServices(scope.view)) {
    const ruling = lastGood(scope, rulingOf(scope, asked, one), (view) => {
      const before = virtualServices(view).find((other) => keyOf(other) === keyOf(one));
      return before && rulingOf(scope, asked, before);
    });
    rulings.push(ruling);
    if (asked.kind === "tcp" && ruling.routes.some(takesAll)) break;
  }
  return rulings;
}

/** Of TCP, what follows such a route cannot be reached. */
export function takesAll({ destinationSubnets, sourceSubnet }: RuledRoute): boolean {
  return destinationSubnets.length === 0 && sourceSubnet === "";
}

function rulingOf(
  scope: Scope,
  asked: AskedConnections,
  virtualService: VirtualService,
): Attempt<Layer4Ruling> {
  const { client, port } = asked;
  const missing: MissingDestination[] = [];
  const routes = matchesOf(virtualService, asked).map(({ route, path, ...match }): RuledRoute => {
    const resolver = new DestinationResolver(scope, client, port);
    const clusters = weighted(route).map(({ destination, weight }, index) => ({
      name: clusterOf(
        resolver.resolve(
          destination,
          virtualService,
          `${path}.route[${index}].destination`,
          "its connections fail",
        ),
      ),
      weight,
    }));
    missing.push(...resolver.missing);
    return { ...match, clusters, destinations: resolver.found };
  });
  return { said: { virtualService, routes }, missing };
}

interface Match extends Pick<RuledRoute, "sniHosts" | "destinationSubnets" | "sourceSubnet"> {
  readonly route: readonly RouteDestination[];
  /** Of the route in its VirtualService. */
  readonly path: string;
}

function matchesOf(
  virtualService: VirtualService,
  { client, kind, port, gateway }: AskedConnections,
): readonly Match[] {
  if (kind === "tcp") {
    return tcpRoutesFor([virtualService], client, port, gateway).map(({ route, match, index }) => ({
      sniHosts: [],
      destinationSubnets: match?.destinationSubnets ?? [],
      sourceSubnet: match?.sourceSubnet ?? "",
      route: route.route,
      path: `spec.tcp[${index}]`,
    }));
  }
  return tlsRoutesFor([virtualService], client, port, gateway).map(({ route, match, index }) => ({
    sniHosts: match.sniHosts.map((name) => name.toLowerCase()),
    destinationSubnets: match.destinationSubnets,
    sourceSubnet: match.sourceSubnet,
    route: route.route,
    path: `spec.tls[${index}]`,
  }));
}
