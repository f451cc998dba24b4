import type { StoredObject } from "../../../mesh/model/object.ts";
import type { TcpRoute } from "../../../mesh/model/virtual-service.ts";
import { virtualServicesAt } from "../../policy/gateway-virtual-services.ts";
import type { BoundServer } from "../../policy/gateways.ts";
import { tcpRoutesFor, tlsRoutesFor } from "../../policy/layer4-routes.ts";
import { clusterOf, weighted } from "../destinations.ts";
import type { WeightedName } from "../filters/network-filters.ts";
import type { Scope } from "../memo.ts";
import { DestinationResolver } from "../routes/destination-resolver.ts";
import type { GatewayClass } from "./gateway-class.ts";

/** Where connections with these server names go; none: with any. */
export interface TlsTargets {
  readonly serverNames: readonly string[];
  readonly clusters: readonly WeightedName[];
}

/** Where the bytes of a server go: the first TCP route of its VirtualServices decides. Undefined: there is none. */
export function tcpTargets(
  scope: Scope,
  of: GatewayClass,
  bound: BoundServer,
): readonly WeightedName[] | undefined {
  const [first] = tcpRoutesFor(
    virtualServicesOf(scope, of, bound),
    of.client,
    portOf(bound),
    bound.gatewayKey,
  );
  if (first === undefined) return undefined;
  return targets(scope, of, portOf(bound), first.owner, first.route.route, `spec.tcp[${first.index}]`);
}

/** Where TLS goes that is passed on, by the name that the client asks for. */
export function tlsTargets(scope: Scope, of: GatewayClass, bound: BoundServer): readonly TlsTargets[] {
  const port = portOf(bound);
  return tlsRoutesFor(virtualServicesOf(scope, of, bound), of.client, port, bound.gatewayKey).map(
    ({ route, match, owner, index }) => {
      const names = match.sniHosts.map((name) => name.toLowerCase());
      return {
        serverNames: names.includes("*") ? [] : names,
        clusters: targets(scope, of, port, owner, route.route, `spec.tls[${index}]`),
      };
    },
  );
}

function virtualServicesOf(
  { view }: Scope,
  { client }: GatewayClass,
  bound: BoundServer,
): readonly StoredObject<"VirtualService">[] {
  return virtualServicesAt(view, bound, client.namespace).map(({ virtualService }) => virtualService);
}

function targets(
  scope: Scope,
  { client }: GatewayClass,
  port: number,
  owner: StoredObject<"VirtualService">,
  route: TcpRoute["route"],
  path: string,
): readonly WeightedName[] {
  const resolver = new DestinationResolver(scope, client, port);
  const clusters = weighted(route).map(({ destination, weight }, index) => ({
    name: clusterOf(
      resolver.resolve(destination, owner, `${path}.route[${index}].destination`, "its connections fail"),
    ),
    weight,
  }));
  resolver.warn();
  return clusters;
}

function portOf({ server }: BoundServer): number {
  return server.port.number;
}
