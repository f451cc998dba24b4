import type { AskedCapture } from "../../mesh/admin-api/asked-capture.ts";
import type { HostFinding } from "../../mesh/admin-api/host-finding.ts";
import { KeptCapture } from "../capture/kept-capture.ts";
import type { AgentConfig } from "../config.ts";
import type { LocalService } from "../discovery/discovery.ts";
import type { DnsState } from "../dns/dns-server.ts";
import { isWildcard, readListeningSockets } from "../registration/listening-sockets.ts";
import { isMeshPort } from "../registration/ports.ts";
import { readHostPorts } from "../registration/read-host-ports.ts";
import { askServer, type KnownBy } from "./ask-server.ts";
import { captureOffFindings, leftOpenFindings } from "./capture-findings.ts";
import { catalogFindings } from "./catalog-findings.ts";
import { dnsFindings, sharedNamesFindings } from "./dns-findings.ts";
import {
  firstFreePort,
  freeBytes,
  hostAddresses,
  kernelFacts,
  stateDirectory,
  takenByOthers,
} from "./host-facts.ts";
import {
  diskFindings,
  foreignListenerFindings,
  kernelFindings,
  stateDirectoryFindings,
  takenPortFindings,
  vipPortFindings,
} from "./place-findings.ts";
import { type CertificateFacts, certificateFindings, serverFindings } from "./server-findings.ts";
import { serviceFindings } from "./service-findings.ts";

export interface HostCheck {
  readonly config: Pick<AgentConfig, "stateDir" | "status" | "loopback" | "discovery">;
  readonly services: readonly LocalService[];
  /** This agent's processes: their sockets are in nobody's way. */
  readonly ownPids: ReadonlySet<number>;
  /** Whose the state directory should be; undefined: nobody in particular. */
  readonly uid: number | undefined;
  readonly certificates: readonly CertificateFacts[];
  /** What rules of the host are asked to capture. */
  readonly captures: readonly AskedCapture[];
  /** Ports at which proxies listen at the addresses of services. */
  readonly vipPorts: ReadonlySet<number>;
  /** How its DNS is; undefined: no agent runs that could tell. */
  readonly dns: DnsState | undefined;
  readonly now: number;
}

export interface MeshServers {
  readonly addresses: readonly string[];
  readonly known: KnownBy;
}

/** What is wrong with this host and its services now, without asking anybody else. */
export async function checkHost(check: HostCheck): Promise<readonly HostFinding[]> {
  const { config, services, ownPids, certificates, now } = check;
  const { stateDir, status, loopback } = config;
  const sockets = await readListeningSockets();
  const others = (wanted: (port: number) => boolean): ReturnType<typeof takenByOthers> =>
    takenByOthers(
      sockets.filter(({ port }) => wanted(port)),
      ownPids,
    );
  const taken = status.port === 0 ? [] : others((port) => port === status.port);
  const what = { what: "the agent's status and metrics", setting: "status.port" };
  const ports = await readHostPorts(services, loopback, ownPids);
  const host = {
    foreign: ports.foreign.bind(ports),
    loopback,
    addresses: hostAddresses(),
    firstFreePort: firstFreePort(),
  };
  return [
    ...stateDirectoryFindings(await stateDirectory(stateDir, check.uid)),
    ...diskFindings(stateDir, await freeBytes(stateDir)),
    ...takenPortFindings(taken.map((one) => ({ ...one, ...what }))),
    ...foreignListenerFindings(others(isMeshPort)),
    ...serviceFindings(services, host),
    ...captureOffFindings(check.captures, new KeptCapture().inForce),
    ...leftOpenFindings(services, sockets, host.foreign),
    ...certificateFindings(certificates, now),
    ...kernelFindings(kernelFacts()),
    ...vipPortFindings(
      takenByOthers(
        sockets.filter(({ address, port }) => isWildcard(address) && check.vipPorts.has(port)),
        ownPids,
      ),
    ),
    ...dnsFindings(check.dns),
    ...((check.dns?.places.length ?? 0) === 0 ? [] : sharedNamesFindings(services)),
  ];
}

/** What is wrong towards others: the servers, by a connection to each, and the catalog. */
export async function checkOthers(
  servers: MeshServers | undefined,
  discovery: AgentConfig["discovery"],
  signal: AbortSignal,
): Promise<readonly HostFinding[]> {
  const { addresses = [], known = { roots: [] } } = servers ?? {};
  const [answers, catalog] = await Promise.all([
    Promise.all(
      addresses.map(async (address) => [address, await askServer(address, known, signal)] as const),
    ),
    catalogFindings(discovery, signal),
  ]);
  return [...serverFindings(new Map(answers)), ...catalog];
}
