import { isIPv6 } from "node:net";
import type { AgentStatus, DnsStatus, WorkloadStatus } from "../../mesh/admin-api/agent-status.ts";
import { type SocketAddress, workloadId } from "../../mesh/model/workload.ts";
import type { SupervisorState } from "../dataplane/supervisor-state.ts";
import type { HostDns } from "../dns/host-dns.ts";
import type { HostWatch } from "../host-check/host-watch.ts";
import type { AgentIdentity } from "../identity/agent-identity.ts";
import type { ServerChannel } from "../identity/channel.ts";
import type { WorkloadSvids } from "../identity/workload-svids.ts";
import type { WorkloadHealth } from "../probes/workload-health.ts";
import type { ReconciledWorkload, Reconciler } from "../reconcile.ts";
import type { GroupSettings } from "../registration/group-settings.ts";
import type { Registration } from "../registration/registration.ts";
import type { Relay, RelayNodeStatus } from "../relay/relay.ts";

export interface StatusParts {
  readonly version: string;
  readonly discovery: string;
  readonly identity: AgentIdentity;
  readonly channel: ServerChannel;
  readonly registration: Registration;
  readonly groups: GroupSettings;
  readonly health: WorkloadHealth;
  readonly svids: WorkloadSvids;
  readonly relay: Relay;
  readonly reconciler: Reconciler;
  readonly watch: Pick<HostWatch, "findings">;
  readonly dns: HostDns;
}

/** Everything that the agent's parts know about themselves, at one moment. */
export function collectStatus(parts: StatusParts): AgentStatus {
  const { agentId, trustDomain, svid } = parts.identity.current;
  const nodes = new Map(parts.relay.status().map((node) => [node.nodeId, node]));
  return {
    agent: {
      id: agentId,
      trustDomain,
      version: parts.version,
      pid: process.pid,
      certificateExpires: iso(svid.notAfterMs),
    },
    server: {
      address: parts.channel.address,
      connected: parts.channel.connected,
      registration: parts.registration.state.kind,
      problem: parts.identity.problem,
    },
    discovery: {
      source: parts.discovery,
      state: parts.reconciler.discovered ? "known" : "waiting",
      files: parts.reconciler.files,
    },
    dns: dnsStatus(parts),
    workloads: parts.reconciler.workloads().map((one) => workloadStatus(one, nodes, parts)),
    leaving: parts.reconciler.leaving,
    problems: [...parts.reconciler.problems, ...parts.watch.findings],
  };
}

/** Bare names are of the namespace of whoever calls services by their names. */
function dnsStatus({ dns: { server, names, zones }, reconciler }: StatusParts): DnsStatus {
  const { places, upstreams } = server.state;
  const callers = reconciler.workloads().filter(({ workload }) => workload.vips !== "none");
  const namespaces = [...new Set(callers.map(({ workload }) => workload.namespace))];
  return {
    listening: places.map(({ place, problem }) => ({ at: hostPort(place), problem })),
    upstreams,
    zones,
    search: [...namespaces.map((one) => `${one}.mesh`), "mesh"],
    hosts: names.tables.reduce((sum, { size }) => sum + size, 0),
  };
}

function hostPort({ address, port }: SocketAddress): string {
  return `${isIPv6(address) ? `[${address}]` : address}:${port}`;
}

function workloadStatus(
  { workload, waits, runner }: ReconciledWorkload,
  nodes: ReadonlyMap<string, RelayNodeStatus>,
  { svids, registration, groups, health }: StatusParts,
): WorkloadStatus {
  const id = workloadId(workload);
  const svid = svids.status(id);
  const node = runner && nodes.get(runner.nodeId);
  const process = runner?.state ?? { kind: "stopped" as const };
  const refusal = registration.refusal(id);
  const verdict = health.verdict(id);
  const group = groups.of(workload);
  const lastNack = node?.lastNack;
  return {
    workload: id,
    spiffeId: svid?.spiffeId ?? "",
    group: workload.group && { name: workload.group.name, problem: group?.problem ?? "" },
    probe: verdict && { ready: verdict.healthy, reason: verdict.reason },
    ...stateOf(process, svid?.problem, refusal, waits),
    dataPlane: {
      kind: workload.dataPlane,
      pid: "pid" in process ? process.pid : undefined,
      threads: runner?.threads,
    },
    inbound: workload.ports.map(({ inbound }) => `${inbound.address}:${inbound.port}`),
    upstreams: workload.upstreams.map(
      ({ host, port, bind }) => `${bind.address}:${bind.port} -> ${host}:${port}`,
    ),
    httpProxy: workload.httpProxy && `${workload.httpProxy.address}:${workload.httpProxy.port}`,
    vips: workload.vips,
    svidExpires: svid?.notAfterMs === undefined ? undefined : iso(svid.notAfterMs),
    configuration: node === undefined || !node.connected ? "none" : node.source,
    lastNack: lastNack && { at: iso(lastNack.at), type: lastNack.typeUrl, message: lastNack.message },
  };
}

function stateOf(
  process: SupervisorState,
  svidProblem: string | undefined,
  refusal: string | undefined,
  waits: boolean,
): Pick<WorkloadStatus, "state" | "reason"> {
  // What serves, serves: a server that refuses it now takes its identity away when the SVID ends.
  if (process.kind === "running") return { state: "serving", reason: refusal ?? svidProblem };
  if (refusal !== undefined) return { state: "refused", reason: refusal };
  switch (process.kind) {
    case "starting":
      return { state: "starting", reason: undefined };
    case "draining":
      return { state: "draining", reason: undefined };
    case "backing-off":
      return { state: "backing-off", reason: process.reason };
    case "stopped":
      if (waits)
        return { state: "waiting-for-group", reason: "the server has not told what its WorkloadGroup says" };
      return { state: "waiting-for-svid", reason: svidProblem };
    default:
      return process satisfies never;
  }
}

function iso(ms: number): string {
  return new Date(ms).toISOString();
}
