import { MeshError, messageOf } from "../../mesh/errors.ts";
import { workloadSpiffeId } from "../../mesh/identity/spiffe-id.ts";
import {
  type CapturedAt,
  type SocketAddress,
  type Vips,
  type Workload,
  type WorkloadId,
  type WorkloadPort,
  type WorkloadUpstream,
  workloadId,
} from "../../mesh/model/workload.ts";
import type { InboundWish, LocalService, LocalUpstream } from "../discovery/discovery.ts";
import { freeCapturePorts, type RuledPorts } from "./capture-ports.ts";
import { covers, isWildcard } from "./listening-sockets.ts";
import type { PlanProblem } from "./plan-problem.ts";
import { type HostPorts, isMeshPort } from "./ports.ts";
import { uncapturable } from "./uncapturable.ts";

export interface PlanSettings {
  /** Where applications listen and upstreams bind. */
  readonly loopback: string;
  readonly dataPlane: Workload["dataPlane"];
  readonly trustDomain: string;
  /** The host's own, for services that say none. */
  readonly locality: string;
  readonly network: string;
  /** Whether an address is this host's. */
  readonly isHere: (address: string) => boolean;
  /** How this host's proxies listen at the addresses of services. */
  readonly vips: Exclude<Vips, "none">;
  /** The kernel has IPv6: proxies of captured workloads listen for both families. */
  readonly ipv6: boolean;
  /** What rules of this host send to which ports now. */
  readonly ruled: readonly RuledPorts[];
}

export interface Plan {
  readonly workloads: readonly Workload[];
  readonly problems: readonly PlanProblem[];
  /** An application is not seen yet, so that where it listens is a guess: to be looked at again. */
  readonly unsettled: boolean;
}

/**
 * Turns what runs on this host into workloads: chooses where each proxy takes its traffic (DESIGN D5) and gives the
 * upstreams their places. A workload keeps what it had in `previous`, so that nothing moves without need. An upstream
 * without a place is left out, a workload without one too, each with a problem that names the holder. Pure but for the
 * claims that it makes on `ports`.
 */
export function planWorkloads(
  services: readonly LocalService[],
  previous: ReadonlyMap<WorkloadId, Workload>,
  ports: HostPorts,
  settings: PlanSettings,
): Plan {
  const workloads: Workload[] = [];
  const problems: PlanProblem[] = [];
  let caller: WorkloadId | undefined;
  let unsettled = false;
  const captured = services.map((service) => {
    const error = uncapturable(service, settings.isHere);
    if (error === undefined) return service;
    problems.push({ workload: idOf(service), error });
    return { ...service, interception: "none" as const };
  });
  const sorted = captured
    .map((service) => stayPut(service, previous.get(idOf(service)), settings))
    .toSorted((a, b) => order(idOf(a), idOf(b)));
  const [settled = [], moved = []] = [true, false].map((wanted) =>
    sorted.filter((service) => hadAll(service, previous.get(idOf(service)), settings) === wanted),
  );
  // What stays where it was comes first: another that claims a place of it takes nothing away.
  for (const service of [...settled, ...moved]) {
    const id = idOf(service);
    const note = (error: MeshError): void => {
      problems.push({ workload: id, error });
    };
    try {
      checkNames(service, settings.trustDomain);
      const place =
        service.inbound?.kind === "none" ? undefined : inboundPlace(service, id, previous, ports, settings);
      if (place !== undefined && isUnsettled(service, place, ports)) unsettled = true;
      const upstreams = service.upstreams.flatMap((upstream) => {
        const bound = bindUpstream(upstream, id, ports, settings, note);
        return bound === undefined ? [] : [bound];
      });
      const httpProxy = bindHttpProxy(service, id, ports, settings, note);
      const vips = service.vips && caller === undefined ? settings.vips : "none";
      if (vips !== "none") caller = id;
      else if (service.vips && caller !== undefined) note(vipsTaken(id, caller));
      workloads.push(toWorkload(service, { place, upstreams, httpProxy, vips }, settings));
    } catch (error) {
      note(MeshError.from(error));
    }
  }
  workloads.sort((a, b) => order(workloadId(a), workloadId(b)));
  return { workloads, problems, unsettled };
}

/** Where the registration comes before the application listens. */
function isUnsettled({ app, inbound }: LocalService, place: InboundPlace, ports: HostPorts): boolean {
  return inbound?.kind === "mesh-port" && app === undefined && ports.foreign(place.app) === undefined;
}

/**
 * One that is said to be at an address that is not this host's, where its proxy cannot listen, stays at the one that it had
 * if it had one. That something is wrong is found by the look at the host (`host.address`).
 */
function stayPut(
  service: LocalService,
  previous: Workload | undefined,
  { isHere }: PlanSettings,
): LocalService {
  const had = previous?.ports[0]?.inbound.address;
  const { address, interception, inbound } = service;
  const isElsewhere = inbound?.kind === "mapped" || inbound?.kind === "none" || interception === "redirect";
  if (had === undefined || isElsewhere || isHere(address.address) || !isHere(had)) return service;
  return { ...service, address: { address: had, port: address.port } };
}

/** Whether a service asks for no place that its workload did not have before. */
function hadAll(service: LocalService, previous: Workload | undefined, { loopback }: PlanSettings): boolean {
  const { upstreams, httpProxy } = service;
  if (previous === undefined || !hadInbound(service, previous)) return false;
  const had = [...previous.upstreams.map(({ bind }) => bind), previous.httpProxy ?? []].flat();
  const wanted = [
    ...upstreams.map(({ bindAddress, bindPort, port }) => ({
      address: bindAddress ?? loopback,
      port: bindPort ?? port,
    })),
    ...(httpProxy === undefined ? [] : [{ address: httpProxy.address ?? loopback, port: httpProxy.port }]),
  ];
  return wanted.every((place) => had.some((one) => same(one, place)));
}

function hadInbound({ address, inbound }: LocalService, { ports: [had] }: Workload): boolean {
  if (inbound?.kind === "none") return true;
  if (had === undefined) return false;
  if (inbound?.kind === "mapped") return same(had.bind ?? had.inbound, inbound.bind);
  return same(had.inbound, address) || isMeshPort(had.inbound.port);
}

interface InboundPlace {
  readonly inbound: SocketAddress;
  readonly bind?: SocketAddress;
  readonly app: SocketAddress;
  readonly capturedAt: CapturedAt | undefined;
}

function inboundPlace(
  service: LocalService,
  id: WorkloadId,
  before: ReadonlyMap<WorkloadId, Workload>,
  ports: HostPorts,
  settings: PlanSettings,
): InboundPlace {
  const { address } = service;
  const previous = before.get(id);
  if (service.interception === "redirect") return capturedPlace(service, id, before, ports, settings);
  const app = appPlace(service, previous, ports, settings);
  if (service.inbound?.kind === "mapped") return mappedPlace(service.inbound, app, id, ports, settings);
  if (!wantsMeshPort(app, service, previous, ports)) {
    const holder = ports.claim(address, id);
    if (holder !== undefined) throw portTaken(id, "inbound", address, holder);
    return { inbound: address, app, capturedAt: undefined };
  }
  const had = previous?.ports[0]?.inbound.port;
  const preferred = had !== undefined && isMeshPort(had) ? had : undefined;
  const port = ports.claimMeshPort(address.address, id, preferred);
  if (port === undefined) {
    throw new MeshError("agent.port-taken", `find a port for workload ${id}: 21000 to 21255 are all taken`, {
      hint: `let the application listen on ${settings.loopback}, then its proxy takes the service's own port`,
    });
  }
  return {
    inbound: { address: address.address, port },
    app: overLoopback(app, settings),
    capturedAt: undefined,
  };
}

/** Others reach the proxy at a place that something in front of it maps to the one that it binds. */
function mappedPlace(
  { announced, bind }: Extract<InboundWish, { readonly kind: "mapped" }>,
  app: SocketAddress,
  id: WorkloadId,
  ports: HostPorts,
  settings: PlanSettings,
): InboundPlace {
  const holder = ports.claim(bind, id);
  if (holder !== undefined) throw portTaken(id, "inbound", bind, holder);
  const here = overLoopback(app, settings);
  return same(announced, bind)
    ? { inbound: bind, app: here, capturedAt: undefined }
    : { inbound: announced, bind, app: here, capturedAt: undefined };
}

/**
 * Captured calls were going to the service's address, where the application stays; what its proxy binds is two ports that
 * the host sends connections to. It keeps those that it had: rules of the host name them.
 */
function capturedPlace(
  service: LocalService,
  id: WorkloadId,
  previous: ReadonlyMap<WorkloadId, Workload>,
  ports: HostPorts,
  settings: PlanSettings,
): InboundPlace {
  const { address } = service;
  const app = overLoopback(service.app ?? ports.foreign(address) ?? address, settings);
  const had = previous.get(id)?.capturedAt;
  const others = new Set([...previous.values()].flatMap(({ capturedAt: at }) => at?.outbound ?? []));
  const free = freeCapturePorts(id, others, settings.ruled, had);
  const pair = free.find(
    ({ outbound, inbound }) => ports.claimEverywhere(outbound, id) && ports.claimEverywhere(inbound, id),
  );
  if (pair === undefined) {
    throw new MeshError("agent.port-taken", `find ports for the captured workload ${id}: all are taken`, {
      hint: "15001 and 15006, or two of 15300 to 15399, must be free: stop what holds them; ports that rules name for services which are gone are free after lateen capture apply",
    });
  }
  const { outbound, inbound } = pair;
  return { inbound: address, app, capturedAt: { outbound, inbound, ipv6: settings.ipv6 } };
}

/** An application that listens everywhere is reached over loopback. */
function overLoopback({ address, port }: SocketAddress, { loopback }: PlanSettings): SocketAddress {
  return { address: isWildcard(address) ? loopback : address, port };
}

/** Where the application listens: as its source says, else where a socket is seen, else on loopback at the same port. */
function appPlace(
  { address, app }: LocalService,
  previous: Workload | undefined,
  ports: HostPorts,
  { loopback }: PlanSettings,
): SocketAddress {
  if (app !== undefined) return app;
  const seen = ports.foreign(address);
  if (seen !== undefined) return { address: seen.address, port: seen.port };
  const ownPort = { address: loopback, port: address.port };
  if (ports.foreign(ownPort) !== undefined) return ownPort;
  // An application that is down for a moment comes back to where it was; its port must not be taken meanwhile.
  const before = previous?.ports[0];
  if (before !== undefined && isMeshPort(before.inbound.port) && before.app.port === address.port) {
    return before.app;
  }
  return ownPort;
}

function wantsMeshPort(
  app: SocketAddress,
  { address, app: told, inbound }: LocalService,
  previous: Workload | undefined,
  ports: HostPorts,
): boolean {
  if (covers(app, address)) return true;
  // Its application may only just be starting, and must find its port free.
  if (inbound?.kind === "mesh-port" && ports.foreign(app) === undefined) return true;
  const before = previous?.ports[0];
  return (
    told === undefined && before !== undefined && isMeshPort(before.inbound.port) && same(before.app, app)
  );
}

function bindUpstream(
  { host, port, bindAddress, bindPort }: LocalUpstream,
  id: WorkloadId,
  ports: HostPorts,
  { loopback }: PlanSettings,
  note: (error: MeshError) => void,
): WorkloadUpstream | undefined {
  const bind = { address: bindAddress ?? loopback, port: bindPort ?? port };
  const holder = ports.claim(bind, id);
  if (holder === undefined) return { host, port, bind };
  note(portTaken(id, `upstream ${host}:${port}`, bind, holder));
  return undefined;
}

function bindHttpProxy(
  { httpProxy }: LocalService,
  id: WorkloadId,
  ports: HostPorts,
  { loopback }: PlanSettings,
  note: (error: MeshError) => void,
): SocketAddress | undefined {
  if (httpProxy === undefined) return undefined;
  const place = { address: httpProxy.address ?? loopback, port: httpProxy.port };
  const holder = ports.claim(place, id);
  if (holder === undefined) return place;
  note(portTaken(id, "HTTP forward proxy", place, holder));
  return undefined;
}

function portTaken(
  id: WorkloadId,
  what: string,
  { address, port }: SocketAddress,
  holder: string,
): MeshError {
  return new MeshError(
    "agent.port-taken",
    `listen on ${address}:${port} for workload ${id} (${what}): it is taken by ${holder}`,
    { hint: "stop what holds it, or give the service, or the upstream (`host:port@port`), another port" },
  );
}

/** Whoever calls an address comes in at one listener, which has one identity. */
function vipsTaken(id: WorkloadId, caller: WorkloadId): MeshError {
  return new MeshError(
    "agent.port-taken",
    `listen at the addresses of services for workload ${id}: they are ${caller}'s on this host`,
    {
      hint: "take vips away from one of them; the other can have upstreams, httpProxy, or interception: redirect",
    },
  );
}

interface Ways {
  /** Undefined: it takes no calls. */
  readonly place: InboundPlace | undefined;
  readonly upstreams: readonly WorkloadUpstream[];
  readonly httpProxy: SocketAddress | undefined;
  readonly vips: Vips;
}

function toWorkload(
  service: LocalService,
  { place, upstreams, httpProxy, vips }: Ways,
  settings: PlanSettings,
): Workload {
  return {
    name: service.id,
    namespace: service.namespace,
    service: service.service,
    serviceAccount: service.serviceAccount,
    labels: service.labels,
    ports: place === undefined ? [] : [toPort(service, place)],
    upstreams,
    healthy: service.healthy,
    weight: service.weight,
    locality: service.locality || settings.locality,
    network: service.network || settings.network,
    role: "sidecar",
    interception: service.interception,
    capturedAt: place?.capturedAt,
    // A forward proxy that knew the declared upstreams alone would be of no use, nor would addresses, nor capture.
    discovery: service.discovery ?? (hasOpenWay(service) ? "mesh" : "upstreams"),
    httpProxy,
    vips,
    reportsCalls: true,
    mtls: service.mtls,
    dataPlane: settings.dataPlane,
    catalog: service.catalog,
    group: service.group && { ...service.group, applied: undefined },
  };
}

function toPort({ protocol, servicePort }: LocalService, { inbound, bind, app }: InboundPlace): WorkloadPort {
  const port = { name: `${protocol}-${servicePort}`, protocol, servicePort, inbound, app };
  return bind === undefined ? port : { ...port, bind };
}

/** Whether the application can call what nobody declared. */
function hasOpenWay({ httpProxy, vips, interception }: LocalService): boolean {
  return httpProxy !== undefined || vips || interception !== "none";
}

/** Names become folders, node ids and identities: what cannot be all of them is refused here. */
function checkNames({ id, namespace, serviceAccount }: LocalService, trustDomain: string): void {
  if (!/^[A-Za-z0-9_]([A-Za-z0-9._-]{0,198}[A-Za-z0-9_])?$/.test(id)) {
    throw new MeshError("agent.discovery", `take workload ${JSON.stringify(id)}: its id cannot be a name`);
  }
  if (!/^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/.test(namespace)) {
    throw new MeshError(
      "agent.discovery",
      `take workload ${id}: ${JSON.stringify(namespace)} is no namespace`,
    );
  }
  try {
    workloadSpiffeId(trustDomain, namespace, serviceAccount);
  } catch (cause) {
    throw new MeshError("agent.discovery", `take workload ${id}: ${messageOf(cause)}`, { cause });
  }
}

function idOf({ id, namespace }: LocalService): WorkloadId {
  return workloadId({ namespace, name: id });
}

function same(a: SocketAddress, b: SocketAddress): boolean {
  return a.address === b.address && a.port === b.port;
}

function order(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
