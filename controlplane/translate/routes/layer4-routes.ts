import type { StoredObject } from "../../../mesh/model/object.ts";
import { outboundClusterName } from "../../../mesh/xds/names.ts";
import type { Client } from "../../policy/client.ts";
import { layer4VirtualServices } from "../../policy/virtual-services.ts";
import type { Scope } from "../memo.ts";
import { type Layer4Kind, layer4Rulings, type RuledRoute, takesAll } from "./layer4-rulings.ts";

/** Which connections go to which clusters. In a list of them no two ask for the same. */
export interface Layer4Route extends RuledRoute {
  /** What decided it; undefined: the default, to the service itself. */
  readonly virtualService: StoredObject<"VirtualService"> | undefined;
}

/** How the connections to a port of a service are routed for a client. */
export interface RoutedConnections {
  /** The first that fits counts. */
  readonly routes: readonly Layer4Route[];
}

/** A service port that speaks no HTTP. */
export interface Layer4Place {
  readonly hostname: string;
  readonly port: number;
  readonly tls: boolean;
}

/**
 * Where the connections to a port of a service go for a client.
 *
 * Of TCP the last route takes all connections that the others leave: unless a VirtualService says otherwise they go to
 * the service. TLS is told apart by the server's name: when a VirtualService has a route for any name, connections to the
 * others go nowhere; when none has, all go to the service.
 */
export function layer4Routes(
  scope: Scope,
  client: Client,
  { hostname, port, tls }: Layer4Place,
): RoutedConnections {
  const kind: Layer4Kind = tls ? "tls" : "tcp";
  const asked = { client, kind, port, gateway: undefined };
  const rulings = layer4Rulings(scope, asked, (view) => layer4VirtualServices(view, client, hostname));
  const ruled = rulings.flatMap(({ virtualService, routes }) =>
    routes.map((route) => ({ ...route, virtualService })),
  );
  const fallback = toService(hostname, port);
  if (tls) {
    const routes = unclaimed(ruled);
    return { routes: routes.length > 0 ? routes : [fallback] };
  }
  return { routes: unclaimed(ruled.some(takesAll) ? ruled : [...ruled, fallback]) };
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

/** Routes without what earlier ones take: a route whose names and subnets are taken in part is left with the others. */
function unclaimed(routes: readonly Layer4Route[]): readonly Layer4Route[] {
  const claims = new Claims();
  return routes.flatMap((route) => {
    const names = route.sniHosts.length === 0 ? [ANY_NAME] : route.sniHosts;
    return claims.take(names, route.destinationSubnets, route.sourceSubnet).map((free) => ({
      ...route,
      destinationSubnets: free.subnets,
      sniHosts: free.names.filter((name) => name !== ANY_NAME),
    }));
  });
}

const ANY_NAME = "";

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
