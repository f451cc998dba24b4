import type { Clock } from "../../mesh/lifecycle/clock.ts";
import { type SocketAddress, type Vips, type Workload, workloadId } from "../../mesh/model/workload.ts";
import type { Logger } from "../../mesh/telemetry/logger.ts";
import type { AgentConfig } from "../config.ts";
import { DnsServer } from "./dns-server.ts";
import { MeshNames } from "./mesh-names.ts";
import { RESOLVER_FILES } from "./system-resolvers.ts";

export interface HostDns {
  readonly names: MeshNames;
  readonly server: DnsServer;
  /** Domains whose names are the mesh's alone. */
  readonly zones: readonly string[];
}

/** DNS of a host, as its agent is configured. */
export function hostDns(
  { dns, domainSuffix }: Pick<AgentConfig, "dns" | "domainSuffix">,
  { clock, logger }: { readonly clock: Clock; readonly logger: Logger },
): HostDns {
  const names = new MeshNames();
  const zones = ["mesh", `svc.${domainSuffix}`];
  const server = new DnsServer({
    listen: dns.listen.map(toPlace),
    upstreams: dns.upstreams,
    domains: dns.domains ?? {},
    files: RESOLVER_FILES,
    zones,
    names,
    clock,
    logger,
  });
  return { names, server, zones };
}

/** The workloads that call services by addresses, and at which of them their proxies take the calls. */
export function callersAmong(workloads: readonly Workload[]): ReadonlyMap<string, Vips> {
  return new Map(
    workloads
      .filter(({ vips, interception }) => vips !== "none" || interception !== "none")
      .map((workload) => [workloadId(workload), workload.vips] as const),
  );
}

/** As agent.yaml has it: `address:port`, an IPv6 address in brackets. */
function toPlace(written: string): SocketAddress {
  const colon = written.lastIndexOf(":");
  return {
    address: written.slice(0, colon).replace(/^\[|\]$/g, ""),
    port: Number(written.slice(colon + 1)),
  };
}
