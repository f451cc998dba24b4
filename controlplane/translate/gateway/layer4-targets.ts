import type { StoredObject } from "../../../mesh/model/object.ts";
import { virtualServicesAt } from "../../policy/gateway-virtual-services.ts";
import type { BoundServer } from "../../policy/gateways.ts";
import { sharedTcpSettings, type TcpSettings } from "../clusters/tcp-settings.ts";
import type { WeightedName } from "../filters/network-filters.ts";
import type { Scope } from "../memo.ts";
import { type Layer4Kind, type Layer4Ruling, layer4Rulings } from "../routes/layer4-rulings.ts";
import type { GatewayClass } from "./gateway-class.ts";

/** Where connections go, and the VirtualService that says so. */
export interface Layer4Targets {
  readonly virtualService: StoredObject<"VirtualService">;
  readonly clusters: readonly WeightedName[];
  /** What the rules for where they lead say of connections. */
  readonly settings: Partial<TcpSettings>;
}

/** The same of connections with these server names; none: with any. */
export interface TlsTargets extends Layer4Targets {
  readonly serverNames: readonly string[];
}

/** Where the bytes of a server go: the first TCP route of its VirtualServices decides. Undefined: there is none. */
export function tcpTargets(scope: Scope, of: GatewayClass, bound: BoundServer): Layer4Targets | undefined {
  for (const { virtualService, routes } of rulings(scope, of, bound, "tcp")) {
    const [first] = routes;
    if (first !== undefined) return { virtualService, ...targetsOf(scope, of, first) };
  }
  return undefined;
}

/** Where TLS goes that is passed on, by the name that the client asks for. */
export function tlsTargets(scope: Scope, of: GatewayClass, bound: BoundServer): readonly TlsTargets[] {
  return rulings(scope, of, bound, "tls").flatMap(({ virtualService, routes }) =>
    routes.map((route) => ({
      virtualService,
      serverNames: route.sniHosts.includes("*") ? [] : route.sniHosts,
      ...targetsOf(scope, of, route),
    })),
  );
}

function targetsOf(
  { view }: Scope,
  { client }: GatewayClass,
  { clusters, destinations }: Layer4Ruling["routes"][number],
): Pick<Layer4Targets, "clusters" | "settings"> {
  return { clusters, settings: sharedTcpSettings(view, client, destinations) };
}

/** What the VirtualServices at a server say; of one that leads to what does not exist, an earlier revision. */
function rulings(
  scope: Scope,
  of: GatewayClass,
  bound: BoundServer,
  kind: Layer4Kind,
): readonly Layer4Ruling[] {
  const { client } = of;
  const { gatewayKey: gateway, hosts, server } = bound;
  const { number: port } = server.port;
  const key = `gateway-${kind}/${of.key}/${gateway}/${port}/${JSON.stringify(hosts)}`;
  return scope.get<readonly Layer4Ruling[]>(key, (inner) =>
    layer4Rulings(inner, { client, kind, port, gateway }, (view) =>
      virtualServicesAt(view, bound, client.namespace).map(({ virtualService }) => virtualService),
    ),
  );
}
