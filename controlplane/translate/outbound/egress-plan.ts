import type { Service, ServicePort } from "../../../mesh/model/service.ts";
import type { SidecarPort } from "../../../mesh/model/sidecar.ts";
import { isAutoVip, loopbackVip } from "../../../mesh/model/vips.ts";
import type { SocketAddress } from "../../../mesh/model/workload.ts";
import { VIRTUAL_INBOUND, VIRTUAL_OUTBOUND } from "../../../mesh/xds/names.ts";
import type { EgressListener, EgressScope } from "../../policy/egress-scope.ts";
import { byText } from "../../snapshot/text-order.ts";
import { isHttp } from "../protocols.ts";

/** How a workload's calls come to its proxy, beside declared upstreams. */
export interface Ways {
  /** All its connections come in with their original destinations. */
  readonly captured: boolean;
  /** Services' VIPs are bound on loopback. */
  readonly bindsVips: boolean;
  readonly httpProxy: SocketAddress | undefined;
}

/** A port of a service, as one egress listener brings it in. */
export interface ServicePlace {
  readonly hostname: string;
  readonly port: number;
  /** Place of the listener in the scope: which VirtualServices count follows from it. */
  readonly through: number;
}

/** A service port that speaks no HTTP, as one listener takes it. */
export interface TcpClaim extends ServicePlace {
  readonly tls: boolean;
  /** Addresses and CIDR blocks by which it is told from the others of the listener; empty: none, it takes the rest. */
  readonly destinations: readonly string[];
}

export interface PlannedListener {
  readonly name: string;
  /** `port` is 0 for a `unix://` path. */
  readonly bind: SocketAddress;
  /** False: it is there for connections that were captured. */
  readonly binds: boolean;
  /** The routes of its HTTP calls; undefined: it takes none. */
  readonly routeName: string | undefined;
  /** Some of its HTTP calls go to hosts that are looked up call by call. */
  readonly looksUpHosts: boolean;
  readonly tcp: readonly TcpClaim[];
}

export interface PlannedRoutes {
  readonly name: string;
  readonly places: readonly ServicePlace[];
  /** Only calls of this port are meant; undefined: of several, which the host header tells apart. */
  readonly port: number | undefined;
  /** The listeners of the scope that it is of. */
  readonly through: readonly number[];
}

export interface EgressPlan {
  readonly listeners: ReadonlyMap<string, PlannedListener>;
  readonly routes: ReadonlyMap<string, PlannedRoutes>;
  /** What is left out, and why. */
  readonly conflicts: readonly { readonly hostname: string; readonly message: string }[];
}

export const HTTP_PROXY_ROUTES = "http_proxy";
const WILDCARD = "0.0.0.0";
const LOOPBACK = "127.0.0.1";

/** Where captured connections come in: Envoy refuses a second listener there. */
const OWN_PORTS: ReadonlySet<number> = new Set([VIRTUAL_OUTBOUND.port, VIRTUAL_INBOUND.port]);

interface Draft {
  readonly bind: SocketAddress;
  readonly binds: boolean;
  /** A Sidecar named this very listener: what is found for every port stays out of it. */
  readonly explicit: boolean;
  routeName: string | undefined;
  looksUpHosts: boolean;
  readonly tcp: TcpClaim[];
}

/** Listeners and route configurations of the calling side, before any of them is built. */
export function planEgress(
  scope: EgressScope,
  ways: Ways,
  serviceOf: (hostname: string) => Service | undefined,
): EgressPlan {
  const planner = new Planner(ways);
  // Those that a Sidecar gives a port go first, and keep it.
  const [open, ported] = partition([...scope.listeners.entries()], ([, { port }]) => port === undefined);
  for (const [through, listener] of [...ported, ...open]) {
    if (listener.port === undefined) planner.proxied(through);
    for (const hostname of listener.hosts) {
      const service = serviceOf(hostname);
      for (const port of service?.ports ?? []) {
        if (service === undefined) continue;
        const place: ServedPort = { service, port, through };
        if (listener.port === undefined) planner.everywhere(place);
        else if (isFor(listener.port, port)) planner.at(listener, listener.port.number, place);
      }
    }
  }
  return planner.plan();
}

/** A listener on a socket has no port: it is for all that speak as it does, as in Istio. */
function isFor(listener: SidecarPort, { number, protocol }: ServicePort): boolean {
  return listener.number === 0 ? isHttp(protocol) === isHttp(listener.protocol) : number === listener.number;
}

interface RoutesDraft {
  readonly port: number | undefined;
  readonly places: Map<string, ServicePlace>;
  readonly through: Set<number>;
}

interface ServedPort {
  readonly service: Service;
  readonly port: ServicePort;
  readonly through: number;
}

class Planner {
  readonly #ways: Ways;
  readonly #listeners = new Map<string, Draft>();
  readonly #routes = new Map<string, RoutesDraft>();
  /** Routes that belong to a listener of a Sidecar's own. */
  readonly #explicitRoutes = new Set<string>();
  /** Of those, who would be there too: one for each says enough. */
  readonly #leftOut = new Map<string, string>();
  readonly #conflicts: { hostname: string; message: string }[] = [];

  constructor(ways: Ways) {
    this.#ways = ways;
  }

  /** At the one listener that a Sidecar describes. */
  at({ bind, captureMode }: EgressListener, number: number, place: ServedPort): void {
    const onSocket = bind.startsWith("unix://");
    const binds = !this.#ways.captured || captureMode === "NONE" || onSocket;
    const address = bind === "" ? (binds ? LOOPBACK : WILDCARD) : bind;
    const at = { address, port: onSocket ? 0 : number };
    const draft = this.#listener(at, binds, true);
    if (isHttp(place.port.protocol)) this.#route(draft, at.port === 0 ? address : String(number), place);
    else this.#claim(draft, place, []);
  }

  /** The HTTP proxy takes calls even where no service is for them: VirtualServices may have hosts of their own. */
  proxied(through: number): void {
    const { httpProxy } = this.#ways;
    if (httpProxy === undefined) return;
    this.#listener(httpProxy, true, true).routeName = HTTP_PROXY_ROUTES;
    this.#routesOf(HTTP_PROXY_ROUTES, undefined, through);
  }

  /** Wherever the workload's calls to the service may come in. */
  everywhere(place: ServedPort): void {
    const { captured, bindsVips, httpProxy } = this.#ways;
    const http = isHttp(place.port.protocol);
    if (http && httpProxy !== undefined) {
      this.#route(this.#listener(httpProxy, true, true), HTTP_PROXY_ROUTES, place);
    }
    if (captured) this.#captured(place);
    else if (bindsVips) this.#onVips(place);
    else if (httpProxy === undefined) this.#general(LOOPBACK, true, place, []);
  }

  plan(): EgressPlan {
    const listeners = [...this.#listeners]
      .filter(([, { routeName, tcp }]) => routeName !== undefined || tcp.length > 0)
      .sort(([a], [b]) => byText(a, b))
      .map(([name, draft]) => [name, toListener(name, draft)] as const);
    const routes = [...this.#routes].map(
      ([name, { port, places, through }]) =>
        [name, { name, port, places: [...places.values()], through: [...through] }] as const,
    );
    const conflicts = [...this.#leftOut].map(([name, hostname]) => ({
      hostname,
      message: `it and others are unknown at port ${name}: that is for the hosts of the Sidecar's listener with this port`,
    }));
    return {
      listeners: new Map(listeners),
      routes: new Map(routes),
      conflicts: [...this.#conflicts, ...conflicts],
    };
  }

  #captured(place: ServedPort): void {
    const { service, port } = place;
    if (isHttp(port.protocol)) {
      this.#general(WILDCARD, false, place, []);
      return;
    }
    const given = service.addresses.filter((address) => !isAutoVip(address));
    const blocks = given.filter((address) => address.includes("/"));
    const single = service.addresses.filter((address) => !address.includes("/"));
    // Of TLS the server's name tells more than an address that nobody may have been told.
    if (service.addresses.length === 0 || (port.protocol === "tls" && given.length === 0)) {
      this.#general(WILDCARD, false, place, []);
    }
    if (blocks.length > 0) this.#general(WILDCARD, false, place, blocks);
    for (const address of single) this.#general(address, false, place, []);
  }

  #onVips(place: ServedPort): void {
    const { service, port } = place;
    const vips = service.addresses.flatMap((address) => loopbackVip(address) ?? []);
    if (vips.length === 0) {
      const message = `port ${port.number} cannot be called by address: it has no address of this mesh`;
      this.#conflicts.push({ hostname: service.hostname, message });
    }
    for (const vip of vips) this.#general(vip, true, place, []);
  }

  #general(address: string, binds: boolean, place: ServedPort, destinations: readonly string[]): void {
    const { service, port } = place;
    if (!binds && address === WILDCARD && OWN_PORTS.has(port.number)) {
      const message = `port ${port.number} of all addresses is the proxy's own: calls there go nowhere`;
      this.#conflicts.push({ hostname: service.hostname, message });
      return;
    }
    const draft = this.#listener({ address, port: port.number }, binds, false);
    if (draft.explicit) return;
    if (isHttp(port.protocol)) this.#route(draft, String(port.number), place);
    else this.#claim(draft, place, destinations);
  }

  #listener(bind: SocketAddress, binds: boolean, explicit: boolean): Draft {
    const name = bind.port === 0 ? bind.address : `${bind.address}_${bind.port}`;
    const known = this.#listeners.get(name);
    if (known !== undefined) return known;
    const draft: Draft = { bind, binds, explicit, routeName: undefined, looksUpHosts: false, tcp: [] };
    this.#listeners.set(name, draft);
    return draft;
  }

  #route(draft: Draft, name: string, { service, port: { number }, through }: ServedPort): void {
    const { hostname, resolution } = service;
    draft.routeName ??= name;
    draft.looksUpHosts ||= resolution === "dynamic-dns";
    const key = `${hostname}:${number}`;
    if (draft.explicit) this.#explicitRoutes.add(name);
    else if (this.#explicitRoutes.has(name)) {
      // Routes go by the port, as in Istio: what comes in elsewhere with that port has those of the Sidecar's listener.
      const isThere = this.#routes.get(name)?.places.has(key) ?? false;
      if (!isThere && !this.#leftOut.has(name)) this.#leftOut.set(name, hostname);
      return;
    }
    const { places } = this.#routesOf(name, name === HTTP_PROXY_ROUTES ? undefined : number, through);
    if (!places.has(key)) places.set(key, { hostname, port: number, through });
  }

  #routesOf(name: string, port: number | undefined, through: number): RoutesDraft {
    const draft = this.#routes.get(name) ?? { port, places: new Map(), through: new Set() };
    draft.through.add(through);
    this.#routes.set(name, draft);
    return draft;
  }

  #claim(draft: Draft, { service, port, through }: ServedPort, destinations: readonly string[]): void {
    const { hostname } = service;
    const { number, protocol } = port;
    const tls = protocol === "tls";
    const sameAsAll = draft.tcp.find((one) => !one.tls && one.destinations.length === 0);
    if (!tls && destinations.length === 0 && sameAsAll !== undefined) {
      const message = `port ${number} is taken by ${sameAsAll.hostname} at ${draft.bind.address}: give it an address of its own`;
      this.#conflicts.push({ hostname, message });
      return;
    }
    draft.tcp.push({ hostname, port: number, through, tls, destinations });
  }
}

function toListener(name: string, { bind, binds, routeName, looksUpHosts, tcp }: Draft): PlannedListener {
  return { name, bind, binds, routeName, looksUpHosts, tcp };
}

function partition<T>(list: readonly T[], test: (item: T) => boolean): readonly [readonly T[], readonly T[]] {
  return [list.filter(test), list.filter((item) => !test(item))];
}
