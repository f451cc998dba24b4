import type { HostFinding } from "../../mesh/admin-api/host-finding.ts";
import { systemClock } from "../../mesh/lifecycle/clock.ts";
import { silentLogger } from "../../mesh/telemetry/logger.ts";
import type { AgentConfig } from "../config.ts";
import { readRecords } from "../dataplane/stale-processes.ts";
import type { LocalService } from "../discovery/discovery.ts";
import { FileDiscovery } from "../discovery/file/file-discovery.ts";
import { addressTowards } from "../host/address-towards.ts";
import { checkHost, checkOthers, type MeshServers } from "./check-host.ts";
import { joinedFacts } from "./joined-facts.ts";

export interface CheckWithoutAgent {
  readonly config: AgentConfig;
  /** Of a host that has not joined: the mesh that it is to join; undefined: what its state directory says. */
  readonly servers?: MeshServers;
  readonly signal: AbortSignal;
}

/** What is wrong with this host while no agent runs on it: before it joins, or because none does. */
export async function checkWithoutAgent({
  config,
  signal,
  ...given
}: CheckWithoutAgent): Promise<readonly HostFinding[]> {
  const joined = await joinedFacts(config.stateDir);
  const servers = given.servers ?? (joined && { addresses: joined.servers, known: { roots: joined.roots } });
  const own = await addressTowards(servers?.addresses ?? config.servers);
  const { services, findings } = await declaredServices(config, own);
  const records = await readRecords(config.runDir).catch(() => new Map());
  const local = await checkHost({
    config,
    services,
    ownPids: new Set([...records.values()].map(({ pid }) => pid)),
    uid: undefined,
    certificates: joined === undefined ? [] : [joined.certificate],
    captures: [],
    vipPorts: new Set(),
    dns: undefined,
    now: systemClock.now(),
  });
  return [...findings, ...local, ...(await checkOthers(servers, config.discovery, signal))];
}

/** Files alone can be looked at from outside; what Consul has, its agent tells the mesh's agent. */
export async function declaredServices(
  { discovery, address }: AgentConfig,
  ownAddress: string,
): Promise<{ readonly services: readonly LocalService[]; readonly findings: readonly HostFinding[] }> {
  if (discovery.kind !== "file") return { services: [], findings: [] };
  const files = new FileDiscovery({
    path: discovery.path,
    address,
    ownAddress,
    stateDir: undefined,
    clock: systemClock,
    logger: silentLogger,
  });
  const services = await files.look();
  return { services, findings: files.findings };
}
