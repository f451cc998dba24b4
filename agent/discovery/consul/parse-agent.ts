import * as z from "zod";
import { consulInstanceId, isHealthyStatus, isServiceName } from "../../../mesh/consul/names.ts";
import { MeshError } from "../../../mesh/errors.ts";
import type { Violation } from "../../../mesh/model/violation.ts";
import { parseServiceHints, type ServiceHints } from "../../../mesh/model/vocabulary.ts";
import { DEFAULTED, type Defaulted } from "../../../mesh/model/workload.ts";
import { defaultServiceAccount } from "../default-service-account.ts";
import type { LocalService } from "../discovery.ts";
import { workloadName } from "../workload-name.ts";

/** The local Consul agent's own node. */
export interface ConsulNode {
  readonly name: string;
  readonly address: string;
}

export interface AgentServices {
  readonly services: readonly LocalService[];
  /** Catalog ids of services that want to be in the mesh but cannot be used as they are. */
  readonly refused: ReadonlySet<string>;
  readonly problems: readonly { readonly service: string; readonly problem: string }[];
}

const selfSchema = z.object({
  Config: z.object({ NodeName: z.string().min(1) }),
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
  Weights: z.object({ Passing: z.number() }).nullish(),
});
type AgentService = z.output<typeof serviceSchema>;

const checksSchema = z.record(z.string(), z.object({ Status: z.string(), ServiceID: z.string().nullish() }));

/** Just enough to tell whether an otherwise unusable entry wants to be in the mesh. */
const wishSchema = z.object({
  Service: z.string().catch(""),
  Kind: z.string().nullish().catch(undefined),
  Tags: z.array(z.string()).nullish().catch(undefined),
  Meta: z.record(z.string(), z.string()).nullish().catch(undefined),
});

/** Reads `/v1/agent/self`. */
export function parseConsulNode(body: unknown): ConsulNode {
  const { Config, Member } = read(selfSchema, body, "itself");
  return { name: Config.NodeName, address: Member?.Addr ?? "" };
}

/**
 * Reads `/v1/agent/services` and `/v1/agent/checks`: the services that want to be in the mesh, by their ids. One that
 * cannot be used is refused alone. Throws `registry.unavailable` when these are no such answers at all.
 */
export function parseAgentServices(node: ConsulNode, services: unknown, checks: unknown): AgentServices {
  const entries = read(z.record(z.string(), z.unknown()), services, "its services");
  const health = Object.values(read(checksSchema, checks, "its checks"));
  const found: LocalService[] = [];
  const refused = new Set<string>();
  const problems: { service: string; problem: string }[] = [];
  for (const [id, raw] of Object.entries(entries).toSorted(([a], [b]) => (a < b ? -1 : 1))) {
    if (!wantsMesh(raw)) continue;
    const parsed = serviceSchema.safeParse(raw);
    const read = parsed.success
      ? toLocalService(node, parsed.data, isHealthy(parsed.data.ID, health))
      : { service: undefined, violations: parsed.error.issues.map(issueViolation) };
    for (const { path, message } of read.violations)
      problems.push({ service: id, problem: `${path} ${message}` });
    if (read.service === undefined) refused.add(consulInstanceId(node.name, id));
    else found.push(read.service);
  }
  return { services: found, refused, problems };
}

function wantsMesh(raw: unknown): boolean {
  const { data } = wishSchema.safeParse(raw);
  if (data === undefined || data.Kind) return false;
  return parseServiceHints(data.Service, data.Tags ?? [], data.Meta ?? {}).hints.inject;
}

function toLocalService(
  node: ConsulNode,
  entry: AgentService,
  healthy: boolean,
): { readonly service: LocalService | undefined; readonly violations: readonly Violation[] } {
  const { hints, problems } = parseServiceHints(entry.Service, entry.Tags ?? [], entry.Meta ?? {});
  const violations = [...problems];
  const address = entry.Address || node.address;
  if (address === "") violations.push({ path: "Address", message: "is empty", severity: "error" });
  if (!isServiceName(entry.Service)) {
    violations.push({ path: "Service", message: "cannot be part of a host name", severity: "error" });
  }
  const serviceAccount = hints.serviceAccount ?? defaultServiceAccount(entry.Service);
  if (serviceAccount === undefined) violations.push(NO_SERVICE_ACCOUNT);
  if (serviceAccount === undefined || violations.some(({ severity }) => severity === "error")) {
    return { service: undefined, violations };
  }
  const service = {
    ...fieldsOf(entry, hints, healthy),
    serviceAccount,
    address: { address, port: entry.Port },
  };
  const id = workloadName(entry.ID, entry.Service, node.name);
  const group =
    hints.group === undefined ? undefined : { name: hints.group, defaulted: defaultedOf(hints, entry) };
  const catalog = { registry: "consul", instanceId: consulInstanceId(node.name, entry.ID) };
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
  };
}

/** Checks without a service are the node's: they hold for all its services. */
function isHealthy(
  serviceId: string,
  checks: readonly { readonly Status: string; readonly ServiceID?: string | null | undefined }[],
): boolean {
  return checks
    .filter(({ ServiceID }) => !ServiceID || ServiceID === serviceId)
    .every(({ Status }) => isHealthyStatus(Status));
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
