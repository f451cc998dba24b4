import * as z from "zod";
import type { HostFindingCode } from "../../../mesh/admin-api/host-finding.ts";
import { type CatalogReading, isHealthy, placeOf } from "../../../mesh/consul/catalog-reading.ts";
import { consulInstanceId, type InstancePlace, isServiceName } from "../../../mesh/consul/names.ts";
import { MeshError } from "../../../mesh/errors.ts";
import type { Violation } from "../../../mesh/model/violation.ts";
import { parseServiceHints, type ServiceHints } from "../../../mesh/model/vocabulary.ts";
import { DEFAULTED, type Defaulted } from "../../../mesh/model/workload.ts";
import { defaultServiceAccount } from "../default-service-account.ts";
import type { LocalService } from "../discovery.ts";
import { workloadName } from "../workload-name.ts";

/** The local Consul agent's own node. */
export interface ConsulNode extends Pick<InstancePlace, "datacenter" | "partition"> {
  readonly name: string;
  readonly address: string;
}

/** What is wrong with one registration. */
export interface RegistrationProblem extends Violation {
  readonly code: Extract<HostFindingCode, "host.tags" | "host.registration">;
  /** Consul's id of it. */
  readonly service: string;
  /** `namespace/name` as it is, or would be, in the mesh. */
  readonly workload: string;
}

export interface AgentServices {
  readonly services: readonly LocalService[];
  /** Catalog ids of services that want to be in the mesh but cannot be used as they are, and whether their checks pass. */
  readonly refused: ReadonlyMap<string, boolean>;
  readonly problems: readonly RegistrationProblem[];
}

const selfSchema = z.object({
  Config: z.object({
    NodeName: z.string().min(1),
    Datacenter: z.string().min(1),
    Partition: z.string().nullish(),
  }),
  Member: z.object({ Addr: z.string() }).nullish(),
});

const serviceSchema = z.object({
  ID: z.string().min(1),
  Service: z.string().min(1),
  Kind: z.string().nullish(),
  Namespace: z.string().nullish(),
  Address: z.string().nullish(),
  Port: z.number().int().min(1).max(65_535),
  Tags: z.array(z.string()).nullish(),
  Meta: z.record(z.string(), z.string()).nullish(),
  TaggedAddresses: z.record(z.string(), z.object({ Address: z.string(), Port: z.number() })).nullish(),
  Weights: z.object({ Passing: z.number() }).nullish(),
});
type AgentService = z.output<typeof serviceSchema>;

const checksSchema = z.record(z.string(), z.object({ Status: z.string(), ServiceID: z.string().nullish() }));

/** Just enough to tell whether an otherwise unusable entry wants to be in the mesh. */
const wishSchema = z.object({
  Service: z.string().catch(""),
  Kind: z.string().nullish().catch(undefined),
  Port: z.number().catch(0),
  Tags: z.array(z.string()).nullish().catch(undefined),
  Meta: z.record(z.string(), z.string()).nullish().catch(undefined),
});

/** Reads `/v1/agent/self`. */
export function parseConsulNode(body: unknown): ConsulNode {
  const { Config, Member } = read(selfSchema, body, "itself");
  const { NodeName, Datacenter, Partition } = Config;
  return {
    name: NodeName,
    address: Member?.Addr ?? "",
    datacenter: Datacenter,
    partition: Partition ?? "",
  };
}

/** `/v1/agent/services` and `/v1/agent/checks` of one namespace. */
export interface AgentAnswer {
  readonly services: unknown;
  readonly checks: unknown;
}

/**
 * Reads what the local agent has of one namespace: the services that want to be in the mesh, by their ids. One that
 * cannot be used is refused alone. Throws `registry.unavailable` when these are no such answers at all.
 */
export function parseAgentServices(
  node: ConsulNode,
  answer: AgentAnswer,
  reading: CatalogReading,
): AgentServices {
  const entries = read(z.record(z.string(), z.unknown()), answer.services, "its services");
  const health = Object.values(read(checksSchema, answer.checks, "its checks"));
  const found: LocalService[] = [];
  const refused = new Map<string, boolean>();
  const problems: RegistrationProblem[] = [];
  for (const [id, raw] of Object.entries(entries).toSorted(([a], [b]) => (a < b ? -1 : 1))) {
    if (!wantsMesh(raw, reading)) continue;
    const parsed = serviceSchema.safeParse(raw);
    const read = parsed.success
      ? toLocalService(node, parsed.data, statusesOf(parsed.data.ID, health), reading)
      : { service: undefined, violations: parsed.error.issues.map(issueViolation) };
    const workload = workloadOf(raw, id, node, reading);
    problems.push(...read.violations.map((one) => ({ ...one, service: id, workload, code: codeOf(one) })));
    if (read.service === undefined)
      refused.set(instanceIdOf(raw, id, node), isHealthy(statusesOf(id, health), reading));
    else found.push(read.service);
  }
  return { services: found, refused, problems };
}

/** In opt-out, what nobody can call and what is Consul's own wants nothing. */
function wantsMesh(raw: unknown, { vocabulary }: CatalogReading): boolean {
  const { data } = wishSchema.safeParse(raw);
  if (data === undefined || data.Kind) return false;
  const { hints, unclear } = parseServiceHints(data.Service, data.Tags ?? [], data.Meta ?? {}, vocabulary);
  if (unclear) return true;
  if (!hints.inject || !vocabulary.optOut) return hints.inject;
  return data.Port > 0 && data.Service !== "consul";
}

function codeOf({ path }: Violation): RegistrationProblem["code"] {
  return /^(tag|meta) /.test(path) ? "host.tags" : "host.registration";
}

const namedSchema = z.object({
  Service: z.string().catch(""),
  Namespace: z.string().nullish().catch(undefined),
  Tags: wishSchema.shape.Tags,
  Meta: wishSchema.shape.Meta,
});

function workloadOf(raw: unknown, id: string, node: ConsulNode, { vocabulary }: CatalogReading): string {
  const { data } = namedSchema.safeParse(raw);
  const { Service = "", Namespace, Tags, Meta } = data ?? {};
  const { namespace } = parseServiceHints(Service, Tags ?? [], Meta ?? {}, vocabulary).hints;
  return `${namespace ?? (Namespace || "default")}/${workloadName(id, Service, node.name)}`;
}

function instanceIdOf(raw: unknown, id: string, node: ConsulNode): string {
  const namespace = namedSchema.safeParse(raw).data?.Namespace ?? "";
  return consulInstanceId({ ...node, node: node.name, namespace }, id);
}

function toLocalService(
  node: ConsulNode,
  entry: AgentService,
  statuses: readonly string[],
  reading: CatalogReading,
): { readonly service: LocalService | undefined; readonly violations: readonly Violation[] } {
  const { vocabulary, taggedAddress } = reading;
  const { hints, problems } = parseServiceHints(
    entry.Service,
    entry.Tags ?? [],
    entry.Meta ?? {},
    vocabulary,
  );
  const violations = [...problems];
  const address = placeOf({ Node: { Address: node.address }, Service: entry }, taggedAddress);
  if (address.address === "") violations.push({ path: "Address", message: "is empty", severity: "error" });
  if (!isServiceName(entry.Service)) {
    violations.push({ path: "Service", message: "cannot be part of a host name", severity: "error" });
  }
  const serviceAccount = hints.serviceAccount ?? defaultServiceAccount(entry.Service);
  if (serviceAccount === undefined) violations.push(NO_SERVICE_ACCOUNT);
  if (serviceAccount === undefined || violations.some(({ severity }) => severity === "error")) {
    return { service: undefined, violations };
  }
  const service = {
    ...fieldsOf(entry, hints, isHealthy(statuses, reading)),
    serviceAccount,
    address,
  };
  const id = workloadName(entry.ID, entry.Service, node.name);
  const group =
    hints.group === undefined ? undefined : { name: hints.group, defaulted: defaultedOf(hints, entry) };
  const place = { ...node, node: node.name, namespace: entry.Namespace ?? "" };
  const catalog = { registry: "consul", instanceId: consulInstanceId(place, entry.ID) };
  return { service: { id, ...service, catalog, group, probe: undefined }, violations };
}

/** What nobody says of it. Consul gives every service a weight of 1. */
export function defaultedOf(
  { serviceAccount, weight, saysApp }: ServiceHints,
  { Weights }: Pick<AgentService, "Weights">,
): Defaulted[] {
  const said = {
    serviceAccount: serviceAccount !== undefined,
    weight: weight !== undefined || (Weights?.Passing ?? 1) !== 1,
    app: saysApp,
  };
  return DEFAULTED.filter((field) => !said[field]);
}

export const NO_SERVICE_ACCOUNT: Violation = {
  path: "Service",
  message: "cannot be a service account: give one with lateen.sa=…",
  severity: "error",
};

/** What tags and metadata say of a service, with Consul's fields where they say nothing. */
export function fieldsOf(
  entry: Pick<AgentService, "Service" | "Namespace" | "Port" | "Weights">,
  hints: ServiceHints,
  healthy: boolean,
): Omit<LocalService, "id" | "serviceAccount" | "address" | "catalog" | "group" | "probe"> {
  return {
    service: entry.Service,
    namespace: hints.namespace ?? (entry.Namespace || "default"),
    app: hints.app,
    servicePort: hints.port ?? entry.Port,
    protocol: hints.protocol ?? "tcp",
    labels: hints.labels,
    upstreams: hints.upstreams,
    healthy,
    weight: hints.weight ?? Math.max(1, Math.round(entry.Weights?.Passing ?? 1)),
    locality: hints.locality ?? "",
    network: hints.network ?? "",
    discovery: hints.discovery,
    interception: hints.interception ?? "none",
    owner: hints.owner,
    httpProxy: hints.httpProxy,
    vips: hints.vips,
    mtls: hints.mtls,
  };
}

/** Checks without a service are the node's: they hold for all its services. */
function statusesOf(
  serviceId: string,
  checks: readonly { readonly Status: string; readonly ServiceID?: string | null | undefined }[],
): readonly string[] {
  return checks.filter(({ ServiceID }) => !ServiceID || ServiceID === serviceId).map(({ Status }) => Status);
}

function issueViolation(issue: z.core.$ZodIssue): Violation {
  return { path: issue.path.join("."), message: issue.message, severity: "error" };
}

function read<T>(schema: z.ZodType<T>, body: unknown, what: string): T {
  const parsed = schema.safeParse(body);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  throw new MeshError(
    "registry.unavailable",
    `read what the local consul agent says of ${what}: ${issue?.path.join(".")} ${issue?.message}`,
  );
}
