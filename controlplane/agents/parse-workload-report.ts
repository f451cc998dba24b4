import { isIP } from "node:net";
import { MeshError } from "../../mesh/errors.ts";
import { isSpiffeSegment } from "../../mesh/identity/spiffe-id.ts";
import type { Protocol } from "../../mesh/model/service.ts";
import { isObjectName, MTLS_DEFAULTS } from "../../mesh/model/vocabulary.ts";
import {
  type CapturedAt,
  DEFAULTED,
  type GroupMembership,
  type Workload,
  type WorkloadPort,
  type WorkloadUpstream,
  workloadId,
} from "../../mesh/model/workload.ts";
import type * as wire from "../../mesh/xds/gen/lateen/agent/v1/agent.ts";

export interface RefusedWorkload {
  /** `namespace/name` as the agent wrote it. */
  readonly workload: string;
  readonly reason: string;
}

export interface ParsedReport {
  readonly sequence: number;
  readonly workloads: readonly Workload[];
  readonly refusals: readonly RefusedWorkload[];
}

const MAX_WORKLOADS = 1000;
const MAX_ENTRIES = 1000;
const MAX_TEXT = 253;
/** The sum of a service's weights must fit in 32 bits (Envoy's ClusterLoadAssignment). */
export const MAX_WEIGHT = 1_000_000;
const DNS_LABEL = /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/;
/** As a DNS label, with the underscores that catalogs allow. */
const SERVICE = /^[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9])?$/;
// With a leading “_”, as the ids have that Nomad gives to what it registers.
const WORKLOAD_NAME = /^[A-Za-z0-9_](?:[A-Za-z0-9._-]{0,251}[A-Za-z0-9_])?$/;
const HOST = /^[A-Za-z0-9*_](?:[A-Za-z0-9._-]{0,251}[A-Za-z0-9])?$/;
const LABEL_KEY = /^[A-Za-z0-9](?:[A-Za-z0-9._/-]{0,251}[A-Za-z0-9])?$/;
const PORT_NAME = /^[A-Za-z0-9._-]{0,63}$/;
const PROTOCOLS: ReadonlySet<string> = new Set<Protocol>(["http", "http2", "grpc", "tcp", "tls"]);
const ROLES: readonly Workload["role"][] = ["sidecar", "gateway"];
const INTERCEPTIONS: readonly Workload["interception"][] = ["none", "redirect", "tproxy"];
const VIPS: readonly Workload["vips"][] = ["none", "loopback", "routed"];
const DISCOVERIES: readonly Workload["discovery"][] = ["upstreams", "mesh", "on-demand"];

/**
 * Reads a report. A workload in which anything is wrong is refused with all that is wrong with it, and the others stand.
 * Throws `object.invalid` for a report that is too long to be read at all.
 */
export function parseWorkloadReport(report: wire.WorkloadReport): ParsedReport {
  if (report.workloads.length > MAX_WORKLOADS) {
    throw new MeshError("object.invalid", `read a report of ${report.workloads.length} workloads`, {
      hint: `an agent serves at most ${MAX_WORKLOADS}`,
    });
  }
  const workloads = new Map<string, Workload>();
  const refusals: RefusedWorkload[] = [];
  for (const raw of report.workloads) {
    const id = workloadId(raw);
    const problems = workloads.has(id)
      ? ["another workload of this report has the same name"]
      : problemsOf(raw);
    if (problems.length === 0) workloads.set(id, toWorkload(raw));
    else refusals.push({ workload: id.slice(0, 2 * MAX_TEXT), reason: problems.join("; ") });
  }
  return { sequence: report.sequence, workloads: [...workloads.values()], refusals };
}

function problemsOf(raw: wire.Workload): readonly string[] {
  const problems: string[] = [];
  const expect = (fine: boolean, problem: string): void => {
    if (!fine) problems.push(problem);
  };
  const expectOneOf = (field: string, known: readonly string[], value: string): void =>
    expect(value === "" || known.includes(value), `${field} must be one of ${known.join(", ")}`);
  expect(WORKLOAD_NAME.test(raw.name), "name must be 1 to 253 of A-Z, a-z, 0-9, '.', '_' and '-'");
  expect(DNS_LABEL.test(raw.namespace), "namespace must be a DNS label");
  expect(SERVICE.test(raw.service), "service must be 1 to 63 of a-z, 0-9, '-' and '_'");
  expect(
    isSpiffeSegment(raw.serviceAccount),
    "serviceAccount must be 1 to 63 of A-Z, a-z, 0-9, '.', '_' and '-'",
  );
  expect(raw.locality.length <= MAX_TEXT && isPlain(raw.locality), "locality must be region/zone/subzone");
  expect(raw.dataPlane === "envoy" || raw.dataPlane === "builtin", "dataPlane must be envoy or builtin");
  expect(raw.weight <= MAX_WEIGHT, `weight must be at most ${MAX_WEIGHT}`);
  expect(raw.network.length <= MAX_TEXT && isPlain(raw.network), "network must be a network's name");
  expectOneOf("role", ROLES, raw.role);
  expectOneOf("interception", INTERCEPTIONS, raw.interception);
  expectOneOf("vips", VIPS, raw.vips);
  if (raw.capturedAt !== undefined) {
    const { outbound, inbound } = raw.capturedAt;
    expect(
      isPort(outbound) && isPort(inbound) && outbound !== inbound,
      "capturedAt must have two ports of 1 to 65535",
    );
  }
  expectOneOf("discovery", DISCOVERIES, raw.discovery);
  expectOneOf("mtls", MTLS_DEFAULTS, raw.mtls);
  if (raw.httpProxy !== undefined) {
    expect(isIP(raw.httpProxy.address) !== 0, "httpProxy.address must be an IP address");
    expect(isPort(raw.httpProxy.port), "httpProxy.port must be 1 to 65535");
  }
  if (raw.catalog !== undefined) {
    expect(isText(raw.catalog.registry), "catalog.registry must be a registry's name");
    expect(isText(raw.catalog.instanceId), "catalog.instanceId must be an instance's id");
  }
  expect(raw.group === "" || isObjectName(raw.group), "group must be the name of a WorkloadGroup");
  problems.push(...labelProblems(raw.labels), ...portProblems(raw.ports), ...upstreamProblems(raw.upstreams));
  return problems;
}

function labelProblems(labels: Readonly<Record<string, string>>): readonly string[] {
  const entries = Object.entries(labels);
  if (entries.length > MAX_ENTRIES) return [`labels must be at most ${MAX_ENTRIES}`];
  return entries
    .filter(([key, value]) => !LABEL_KEY.test(key) || value.length > MAX_TEXT || !isPlain(value))
    .map(([key]) => `label ${JSON.stringify(key.slice(0, 63))} is not valid`);
}

function portProblems(ports: readonly wire.Port[]): readonly string[] {
  if (ports.length > MAX_ENTRIES) return [`ports must be at most ${MAX_ENTRIES}`];
  const seen = new Set<number>();
  return ports.flatMap((port, index) => {
    const problems: string[] = [];
    if (!PORT_NAME.test(port.name)) problems.push("name is not valid");
    if (!PROTOCOLS.has(port.protocol)) problems.push(`protocol must be one of ${[...PROTOCOLS].join(", ")}`);
    if (!isPort(port.servicePort)) problems.push("servicePort must be 1 to 65535");
    if (seen.has(port.servicePort)) problems.push("servicePort is another port's too");
    if (isIP(port.inboundAddress) === 0) problems.push("inboundAddress must be an IP address");
    if (!isPort(port.inboundPort)) problems.push("inboundPort must be 1 to 65535");
    if (isIP(port.appAddress) === 0) problems.push("appAddress must be an IP address");
    if (!isPort(port.appPort)) problems.push("appPort must be 1 to 65535");
    if (port.bind !== undefined && isIP(port.bind.address) === 0)
      problems.push("bind.address must be an IP address");
    if (port.bind !== undefined && !isPort(port.bind.port)) problems.push("bind.port must be 1 to 65535");
    seen.add(port.servicePort);
    return problems.map((problem) => `ports[${index}]: ${problem}`);
  });
}

function upstreamProblems(upstreams: readonly wire.Upstream[]): readonly string[] {
  if (upstreams.length > MAX_ENTRIES) return [`upstreams must be at most ${MAX_ENTRIES}`];
  const seen = new Set<string>();
  return upstreams.flatMap((upstream, index) => {
    const problems: string[] = [];
    const bind = `${upstream.bindAddress}_${upstream.bindPort}`;
    if (!HOST.test(upstream.host)) problems.push("host must be a host name");
    if (upstream.port !== 0 && !isPort(upstream.port)) problems.push("port must be at most 65535");
    if (isIP(upstream.bindAddress) === 0) problems.push("bindAddress must be an IP address");
    if (!isPort(upstream.bindPort)) problems.push("bindPort must be 1 to 65535");
    if (seen.has(bind)) problems.push("it binds where another upstream does");
    seen.add(bind);
    return problems.map((problem) => `upstreams[${index}]: ${problem}`);
  });
}

/** Fields in a fixed order and labels sorted, so that equal workloads have equal text. */
function toWorkload(raw: wire.Workload): Workload {
  return {
    name: raw.name,
    namespace: raw.namespace,
    service: raw.service,
    serviceAccount: raw.serviceAccount,
    labels: Object.fromEntries(Object.entries(raw.labels).sort(([a], [b]) => (a < b ? -1 : 1))),
    ports: raw.ports.map(toPort),
    upstreams: raw.upstreams.map(toUpstream),
    healthy: raw.healthy,
    weight: Math.max(1, raw.weight),
    locality: raw.locality,
    network: raw.network,
    role: oneOf(ROLES, raw.role) ?? "sidecar",
    interception: oneOf(INTERCEPTIONS, raw.interception) ?? "none",
    capturedAt: raw.capturedAt && toCapturedAt(raw.capturedAt),
    discovery: oneOf(DISCOVERIES, raw.discovery) ?? "upstreams",
    httpProxy: raw.httpProxy && { address: raw.httpProxy.address, port: raw.httpProxy.port },
    vips: oneOf(VIPS, raw.vips) ?? "none",
    reportsCalls: raw.reportsCalls,
    mtls: oneOf(MTLS_DEFAULTS, raw.mtls),
    dataPlane: raw.dataPlane === "envoy" ? "envoy" : "builtin",
    catalog: raw.catalog && { registry: raw.catalog.registry, instanceId: raw.catalog.instanceId },
    group: raw.group === "" ? undefined : toMembership(raw),
  };
}

/** What an agent of a later version may have no word for here is no default. */
function toMembership({ group, defaulted }: wire.Workload): GroupMembership {
  return {
    name: group,
    defaulted: DEFAULTED.filter((field) => defaulted.includes(field)),
    applied: undefined,
  };
}

function toPort(port: wire.Port): WorkloadPort {
  return {
    name: port.name === "" ? `${port.protocol}-${port.servicePort}` : port.name,
    protocol: port.protocol as Protocol,
    servicePort: port.servicePort,
    inbound: { address: port.inboundAddress, port: port.inboundPort },
    app: { address: port.appAddress, port: port.appPort },
    ...(port.bind === undefined ? {} : { bind: { address: port.bind.address, port: port.bind.port } }),
  };
}

function toCapturedAt({ outbound, inbound, ipv6 }: wire.CapturedAt): CapturedAt {
  return { outbound, inbound, ipv6 };
}

function toUpstream({ host, port, bindAddress, bindPort }: wire.Upstream): WorkloadUpstream {
  return { host, port, bind: { address: bindAddress, port: bindPort } };
}

function oneOf<T extends string>(known: readonly T[], value: string): T | undefined {
  return known.find((candidate) => candidate === value);
}

function isPort(port: number): boolean {
  return Number.isInteger(port) && port >= 1 && port <= 65_535;
}

function isText(text: string): boolean {
  return text.length >= 1 && text.length <= MAX_TEXT && isPlain(text);
}

/** No control characters: these texts end up in logs and on terminals. */
function isPlain(text: string): boolean {
  return !/[\p{Cc}\p{Cf}\u2028\u2029]/u.test(text);
}
