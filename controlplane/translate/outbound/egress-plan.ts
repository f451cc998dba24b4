import { isServerFirst } from "../../../mesh/model/protocols.ts";
import type { Service, ServicePort } from "../../../mesh/model/service.ts";
import type { SidecarPort } from "../../../mesh/model/sidecar.ts";
import { boundVip, isAutoVip } from "../../../mesh/model/vips.ts";
import type { CapturedAt, SocketAddress, Vips } from "../../../mesh/model/workload.ts";
import { routeName } from "../../../mesh/xds/names.ts";
import type { EgressListener, EgressScope } from "../../policy/egress-scope.ts";
import { byText } from "../../snapshot/text-order.ts";
import { isHttp, mayBeHttp } from "../protocols.ts";
import { claimBytes, keptOut, type ListenerDraft, newDraft, toListener } from "./listener-draft.ts";

/** How a workload's calls come to its proxy, beside declared upstreams. */
export interface Ways {
  /** All its connections come in with their original destinations; undefined: they are not captured. */
  readonly captured: CapturedAt | undefined;
  /** At which addresses of services it listens. */
  readonly vips: Vips;
  readonly httpProxy: SocketAddress | undefined;
}

/** A port of a service, as one egress listener brings it in. */
export interface ServicePlace {
  readonly hostname: string;
  readonly port: number;
  /** Place of the listener in the scope: which VirtualServices count follows from it. */
  readonly through: number;
}

/** A service port that speaks no HTTP, or maybe some, as one listener takes it. */
export interface TcpClaim extends ServicePlace {
  readonly tls: boolean;
  /** Addresses and CIDR blocks by which it is told from the others of the listener; empty: none, it takes the rest. */
  readonly destinations: readonly string[];
  /** The routes of those of its connections that are found to be HTTP; undefined: its bytes are not looked at. */
  readonly httpRoutes: string | undefined;
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
  /** They are of one place, whatever host is called: the address has told it. */
  readonly anyHost: boolean;
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

interface PlanOptions {
  /** Virtual hosts are asked for as they are called, so that all of a port has to come to the routes of that port. */
  readonly onDemand?: boolean;
}

/** Listeners and route configurations of the calling side, before any of them is built. */
export function planEgress(
  scope: EgressScope,
  ways: Ways,
  serviceOf: (hostname: string) => Service | undefined,
  { onDemand = false }: PlanOptions = {},
): EgressPlan {
  const planner = new Planner(ways, onDemand);
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
        else if (isFor(listener.port, port)) planner.at(listener, listener.port, place);
      }
    }
  }
  return planner.plan();
}

/** A listener on a socket has no port: it is for all that speak as it does, as in Istio. */
function isFor(listener: SidecarPort, { number, protocol }: ServicePort): boolean {
  if (listener.number !== 0) return number === listener.number;
  if (listener.protocol === "auto" || protocol === "auto") return true;
  return isHttp(protocol) === isHttp(listener.protocol);
}

interface RoutesDraft {
  readonly anyHost: boolean;
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
  readonly #onDemand: boolean;
  readonly #listeners = new Map<string, ListenerDraft>();
  readonly #routes = new Map<string, RoutesDraft>();
  /** Routes that belong to a listener of a Sidecar's own. */
  readonly #explicitRoutes = new Set<string>();
  /** Of those, who would be there too: one for each says enough. */
  readonly #leftOut = new Map<string, string>();
  readonly #conflicts: { hostname: string; message: string }[] = [];

  constructor(ways: Ways, onDemand: boolean) {
    this.#ways = ways;
    this.#onDemand = onDemand;
  }

  /** At the one listener that a Sidecar describes. */
  at({ bind, captureMode }: EgressListener, { number, protocol }: SidecarPort, place: ServedPort): void {
    const onSocket = bind.startsWith("unix://");
    const binds = this.#ways.captured === undefined || captureMode === "NONE" || onSocket;
    const address = bind === "" ? (binds ? LOOPBACK : WILDCARD) : bind;
    const at = { address, port: onSocket ? 0 : number };
    const draft = this.#listener(at, binds, true);
    // What nobody says of the service's port the listener may say.
    const port = place.port.protocol === "auto" ? { ...place.port, protocol } : place.port;
    this.#take(draft, at.port === 0 ? address : String(number), { ...place, port }, []);
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
    const { captured, vips, httpProxy } = this.#ways;
    const { number, protocol } = place.port;
    if (mayBeHttp(protocol) && httpProxy !== undefined) {
      this.#route(this.#listener(httpProxy, true, true), HTTP_PROXY_ROUTES, place);
    }
    if (captured !== undefined) this.#captured(place);
    else if (vips !== "none") this.#onVips(place, vips);
    else if (httpProxy === undefined) this.#general(LOOPBACK, true, place, []);
    // Called by its name, it is known wherever HTTP of its port comes in.
    const routes = String(number);
    if (protocol === "auto" && !this.#explicitRoutes.has(routes)) this.#place(routes, place);
  }

  plan(): EgressPlan {
    const listeners = [...this.#listeners]
      .filter(([, draft]) => draft.routeName !== undefined || draft.tcp.length > 0)
      .sort(([a], [b]) => byText(a, b))
      .map(([name, draft]) => [name, toListener(name, draft)] as const);
    const used = new Set(listeners.flatMap(([, listener]) => routesOf(listener)));
    const routes = [...this.#routes]
      .filter(([name]) => used.has(name))
      .map(
        ([name, { anyHost, port, places, through }]) =>
          [name, { name, anyHost, port, places: [...places.values()], through: [...through] }] as const,
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

  #onVips(place: ServedPort, bound: Exclude<Vips, "none">): void {
    const { service, port } = place;
    const vips = service.addresses.flatMap((address) => boundVip(address, bound) ?? []);
    if (vips.length === 0) {
      const message = `port ${port.number} cannot be called by address: it has no address of this mesh`;
      this.#conflicts.push({ hostname: service.hostname, message });
    }
    for (const vip of vips) this.#general(vip, true, place, []);
  }

  #general(address: string, binds: boolean, place: ServedPort, destinations: readonly string[]): void {
    const { service, port } = place;
    if (!binds && address === WILDCARD && this.#isOwn(port.number)) {
      const message = `port ${port.number} of all addresses is the proxy's own: calls there go nowhere`;
      this.#conflicts.push({ hostname: service.hostname, message });
      return;
    }
    const draft = this.#listener({ address, port: port.number }, binds, false);
    if (draft.explicit) return;
    this.#take(draft, String(port.number), place, destinations);
  }

  /** Where captured connections come in: Envoy refuses a second listener there. */
  #isOwn(port: number): boolean {
    const { captured } = this.#ways;
    return port === captured?.outbound || port === captured?.inbound;
  }

  /** `routes`: those of the listener's HTTP calls, where no address tells whose they are. */
  #take(draft: ListenerDraft, routes: string, place: ServedPort, destinations: readonly string[]): void {
    const { service, port } = place;
    const why = keptOut(draft, port);
    if (why !== undefined) {
      this.#conflicts.push({ hostname: service.hostname, message: why });
      return;
    }
    if (isHttp(port.protocol)) this.#route(draft, routes, place);
    else if (port.protocol !== "auto") {
      const claimed = this.#claim(draft, place, destinations, undefined);
      if (claimed && isServerFirst(port)) draft.serverFirst ??= service.hostname;
    } else if (destinations.length === 0 && isShared(draft)) {
      this.#route(draft, routes, place);
      this.#claim(draft, place, [], undefined);
    } else this.#detect(draft, place, destinations);
  }

  #listener(bind: SocketAddress, binds: boolean, explicit: boolean): ListenerDraft {
    const name = bind.port === 0 ? bind.address : `${bind.address}_${bind.port}`;
    const known = this.#listeners.get(name);
    if (known !== undefined) return known;
    const draft = newDraft(bind, binds, explicit);
    this.#listeners.set(name, draft);
    return draft;
  }

  #route(draft: ListenerDraft, name: string, place: ServedPort): void {
    draft.routeName ??= name;
    draft.looksUpHosts ||= place.service.resolution === "dynamic-dns";
    if (draft.explicit) this.#explicitRoutes.add(name);
    else if (this.#explicitRoutes.has(name)) {
      // Routes go by the port, as in Istio: what comes in elsewhere with that port has those of the Sidecar's listener.
      const { service, port } = place;
      const isThere = this.#routes.get(name)?.places.has(routeName(service.hostname, port.number)) ?? false;
      if (!isThere && !this.#leftOut.has(name)) this.#leftOut.set(name, service.hostname);
      return;
    }
    this.#place(name, place);
  }

  #place(
    name: string,
    { service: { hostname }, port: { number }, through }: ServedPort,
    anyHost = false,
  ): void {
    const { places } = this.#routesOf(
      name,
      name === HTTP_PROXY_ROUTES ? undefined : number,
      through,
      anyHost,
    );
    const key = routeName(hostname, number);
    if (!places.has(key)) places.set(key, { hostname, port: number, through });
  }

  #routesOf(name: string, port: number | undefined, through: number, anyHost = false): RoutesDraft {
    const draft = this.#routes.get(name) ?? { anyHost, port, places: new Map(), through: new Set() };
    draft.through.add(through);
    this.#routes.set(name, draft);
    return draft;
  }

  /** At an address of its own, which says whose its HTTP is, too. */
  #detect(draft: ListenerDraft, place: ServedPort, destinations: readonly string[]): void {
    const { service, port } = place;
    const name = this.#onDemand ? String(port.number) : routeName(service.hostname, port.number);
    if (this.#claim(draft, place, destinations, name)) this.#place(name, place, !this.#onDemand);
  }

  #claim(
    draft: ListenerDraft,
    { service: { hostname }, port: { number, protocol }, through }: ServedPort,
    destinations: readonly string[],
    httpRoutes: string | undefined,
  ): boolean {
    const claim = { hostname, port: number, through, tls: protocol === "tls", destinations, httpRoutes };
    const holder = claimBytes(draft, claim);
    if (holder === undefined) return true;
    const message = `port ${number} is taken by ${holder} at ${draft.bind.address}: give it an address of its own`;
    this.#conflicts.push({ hostname, message });
    return false;
  }
}

/** Several services may come in there, so that an address says nothing of them. */
function isShared({ bind, binds, explicit }: ListenerDraft): boolean {
  return explicit || bind.address === (binds ? LOOPBACK : WILDCARD);
}

function routesOf({ routeName: routes, tcp }: PlannedListener): readonly string[] {
  return [routes, ...tcp.map(({ httpRoutes }) => httpRoutes)].filter((name) => name !== undefined);
}

function partition<T>(list: readonly T[], test: (item: T) => boolean): readonly [readonly T[], readonly T[]] {
  return [list.filter(test), list.filter((item) => !test(item))];
}
