import type { StoredObject } from "../../../mesh/model/object.ts";
import type { TcpRoute } from "../../../mesh/model/virtual-service.ts";
import { outboundClusterName } from "../../../mesh/xds/names.ts";
import type { Client } from "../../policy/client.ts";
import { tcpRoutesFor, tlsRoutesFor } from "../../policy/layer4-routes.ts";
import { layer4VirtualServices } from "../../policy/virtual-services.ts";
import { clusterOf, type ServiceDestination, weighted } from "../destinations.ts";
import type { WeightedName } from "../filters/network-filters.ts";
import type { Scope } from "../memo.ts";
import { DestinationResolver } from "./destination-resolver.ts";

type RouteDestination = TcpRoute["route"][number];

/** Which connections go to which clusters. In a list of them no two ask for the same. */
export interface Layer4Route {
  /** CIDR blocks and addresses; empty: those of the service. */
  readonly destinationSubnets: readonly string[];
  /** CIDR block or address; empty: any. */
  readonly sourceSubnet: string;
  /** Server names in lower case, `*.example.com` among them; empty: any. Always empty for TCP. */
  readonly sniHosts: readonly string[];
  /** Never empty. */
  readonly clusters: readonly WeightedName[];
  /** Where the clusters lead; what does not exist leads to the black hole and is not in it. */
  readonly destinations: readonly ServiceDestination[];
  /** What decided it; undefined: the default, to the service itself. */
  readonly virtualService: StoredObject<"VirtualService"> | undefined;
}

/**
 * Where the connections to a TCP port of a service go for a client, the first that fits counts. The last takes all the
 * others: unless a VirtualService says otherwise they go to the service.
 */
export function applicableTcpRoutes(
  scope: Scope,
  client: Client,
  hostname: string,
  port: number,
): readonly Layer4Route[] {
  const virtualServices = layer4VirtualServices(scope.view, client, hostname);
  const claims = new Claims();
  const routes: Layer4Route[] = [];
  for (const { route, match, owner, index } of tcpRoutesFor(virtualServices, client, port, undefined)) {
    const sourceSubnet = match?.sourceSubnet ?? "";
    const [free] = claims.take([""], match?.destinationSubnets ?? [], sourceSubnet);
    if (free === undefined) continue;
    routes.push({
      destinationSubnets: free.subnets,
      sourceSubnet,
      sniHosts: [],
      ...targets(scope, client, port, owner, route.route, `spec.tcp[${index}]`),
      virtualService: owner,
    });
  }
  if (claims.take([""], [], "").length > 0) routes.push(toService(hostname, port));
  return routes;
}

/**
 * The same for a port that speaks TLS, told apart by the server's name. When a VirtualService has a route for any name,
 * connections to the others go nowhere; when none has, all go to the service.
 */
export function applicableTlsRoutes(
  scope: Scope,
  client: Client,
  hostname: string,
  port: number,
): readonly Layer4Route[] {
  const virtualServices = layer4VirtualServices(scope.view, client, hostname);
  const claims = new Claims();
  const routes = tlsRoutesFor(virtualServices, client, port, undefined).flatMap(
    ({ route, match, owner, index }) => {
      const names = match.sniHosts.map((name) => name.toLowerCase());
      return claims.take(names, match.destinationSubnets, match.sourceSubnet).map((free) => ({
        destinationSubnets: free.subnets,
        sourceSubnet: match.sourceSubnet,
        sniHosts: free.names,
        ...targets(scope, client, port, owner, route.route, `spec.tls[${index}]`),
        virtualService: owner,
      }));
    },
  );
  return routes.length > 0 ? routes : [toService(hostname, port)];
}

function targets(
  scope: Scope,
  client: Client,
  port: number,
  owner: StoredObject<"VirtualService">,
  route: readonly RouteDestination[],
  path: string,
): Pick<Layer4Route, "clusters" | "destinations"> {
  const resolver = new DestinationResolver(scope, client, port);
  const clusters = weighted(route).map(({ destination, weight }, index) => ({
    name: clusterOf(
      resolver.resolve(destination, owner, `${path}.route[${index}].destination`, "its connections fail"),
    ),
    weight,
  }));
  resolver.warn();
  return { clusters, destinations: resolver.found };
}

function toService(hostname: string, port: number): Layer4Route {
  return {
    destinationSubnets: [],
    sourceSubnet: "",
    sniHosts: [],
    clusters: [{ name: outboundClusterName(port, "", hostname), weight: 1 }],
    destinations: [{ hostname, port, subset: "" }],
    virtualService: undefined,
  };
}

interface Free {
  readonly names: readonly string[];
  readonly subnets: readonly string[];
}

/** What earlier routes have taken: Envoy refuses a listener two of whose filter chains ask for the same. */
class Claims {
  readonly #taken = new Set<string>();

  /** Takes what is still free of the names and subnets; names for which the same subnets are free go together. */
  take(names: readonly string[], subnets: readonly string[], source: string): readonly Free[] {
    const anywhere = subnets.length === 0;
    const groups = new Map<string, { names: string[]; subnets: readonly string[] }>();
    for (const name of names) {
      const free = (anywhere ? [""] : subnets).filter((subnet) =>
        this.#claim(JSON.stringify([name, subnet, source])),
      );
      if (free.length === 0) continue;
      const group = groups.get(free.join()) ?? { names: [], subnets: anywhere ? [] : free };
      groups.set(free.join(), group);
      group.names.push(name);
    }
    return [...groups.values()];
  }

  #claim(key: string): boolean {
    if (this.#taken.has(key)) return false;
    this.#taken.add(key);
    return true;
  }
}
