import { MeshError, messageOf } from "../../mesh/errors.ts";
import { workloadSpiffeId } from "../../mesh/identity/spiffe-id.ts";
import {
  type SocketAddress,
  type Workload,
  type WorkloadId,
  type WorkloadUpstream,
  workloadId,
} from "../../mesh/model/workload.ts";
import { VIRTUAL_INBOUND, VIRTUAL_OUTBOUND } from "../../mesh/xds/names.ts";
import type { LocalService, LocalUpstream } from "../discovery/discovery.ts";
import { covers, isWildcard } from "./listening-sockets.ts";
import type { PlanProblem } from "./plan-problem.ts";
import { type HostPorts, isMeshPort } from "./ports.ts";

export interface PlanSettings {
  /** Where applications listen and upstreams bind. */
  readonly loopback: string;
  readonly dataPlane: Workload["dataPlane"];
  readonly trustDomain: string;
  /** The host's own, for services that say none. */
  readonly locality: string;
  readonly network: string;
}

export interface Plan {
  readonly workloads: readonly Workload[];
  readonly problems: readonly PlanProblem[];
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
  const sorted = services.toSorted((a, b) => order(idOf(a), idOf(b)));
  for (const service of sorted) {
    const id = idOf(service);
    const note = (error: MeshError): void => {
      problems.push({ workload: id, error });
    };
    try {
      checkNames(service, settings.trustDomain);
      const place = inboundPlace(service, id, previous.get(id), ports, settings);
      const upstreams = service.upstreams.flatMap((upstream) => {
        const bound = bindUpstream(upstream, id, ports, settings, note);
        return bound === undefined ? [] : [bound];
      });
      const httpProxy = bindHttpProxy(service, id, ports, settings, note);
      workloads.push(toWorkload(service, place, upstreams, httpProxy, settings));
    } catch (error) {
      note(MeshError.from(error));
    }
  }
  return { workloads, problems };
}

interface InboundPlace {
  readonly inbound: SocketAddress;
  readonly app: SocketAddress;
}

function inboundPlace(
  service: LocalService,
  id: WorkloadId,
  previous: Workload | undefined,
  ports: HostPorts,
  settings: PlanSettings,
): InboundPlace {
  const { address } = service;
  if (service.interception === "redirect") return capturedPlace(service, id, ports, settings);
  const app = appPlace(service, previous, ports, settings);
  if (!wantsMeshPort(app, service, previous)) {
    const holder = ports.claim(address, id);
    if (holder !== undefined) throw portTaken(id, "inbound", address, holder);
    return { inbound: address, app };
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
  };
}

/**
 * Captured calls were going to the service's address, where the application stays; what its proxy binds is the two ports
 * that the host sends connections to. A host has one workload of this kind.
 */
function capturedPlace(
  service: LocalService,
  id: WorkloadId,
  ports: HostPorts,
  settings: PlanSettings,
): InboundPlace {
  const { address } = service;
  for (const { name, port } of [VIRTUAL_OUTBOUND, VIRTUAL_INBOUND]) {
    const place = { address: "0.0.0.0", port };
    const holder = ports.claim(place, id);
    if (holder !== undefined) throw portTaken(id, name, place, holder);
  }
  return { inbound: address, app: overLoopback(service.app ?? ports.foreign(address) ?? address, settings) };
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
  { address, app: told }: LocalService,
  previous: Workload | undefined,
): boolean {
  if (covers(app, address)) return true;
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

function toWorkload(
  service: LocalService,
  place: InboundPlace,
  upstreams: readonly WorkloadUpstream[],
  httpProxy: SocketAddress | undefined,
  settings: PlanSettings,
): Workload {
  const { protocol, servicePort } = service;
  return {
    name: service.id,
    namespace: service.namespace,
    service: service.service,
    serviceAccount: service.serviceAccount,
    labels: service.labels,
    ports: [{ name: `${protocol}-${servicePort}`, protocol, servicePort, ...place }],
    upstreams,
    healthy: service.healthy,
    weight: service.weight,
    locality: service.locality || settings.locality,
    network: service.network || settings.network,
    role: "sidecar",
    interception: service.interception,
    // A forward proxy that knew the declared upstreams alone would be of no use, nor would capture.
    discovery: service.discovery ?? (hasOpenWay(service) ? "mesh" : "upstreams"),
    httpProxy,
    bindsVips: false,
    reportsCalls: true,
    mtls: service.mtls,
    dataPlane: settings.dataPlane,
    catalog: service.catalog,
    group: service.group && { ...service.group, applied: undefined },
  };
}

/** Whether the application can call what nobody declared. */
function hasOpenWay({ httpProxy, interception }: LocalService): boolean {
  return httpProxy !== undefined || interception !== "none";
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
