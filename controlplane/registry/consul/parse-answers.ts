import * as z from "zod";
import { type CatalogReading, isHealthy, placeOf } from "../../../mesh/consul/catalog-reading.ts";
import { consulInstanceId, isServiceName } from "../../../mesh/consul/names.ts";
import { MeshError } from "../../../mesh/errors.ts";
import type { Violation } from "../../../mesh/model/violation.ts";
import { parseServiceHints } from "../../../mesh/model/vocabulary.ts";
import type { CatalogInstance } from "../registry.ts";
import type { InstanceProblem, ServiceAnswer } from "../service-answer.ts";

const namesSchema = z.record(z.string(), z.array(z.string()).nullable());

/** Names in `/v1/catalog/services`, each with its tags; those that can be no host name are told apart. Throws when it is no such answer. */
export function parseServiceNames(body: unknown): {
  readonly names: ReadonlySet<string>;
  readonly unusable: readonly string[];
} {
  const { data, error } = namesSchema.safeParse(body);
  if (error !== undefined) {
    const [issue] = error.issues;
    const reason =
      issue === undefined || issue.path.length === 0 ? "the answer is not an object" : issueText(issue);
    throw new MeshError("registry.unavailable", `read consul's services: ${reason}`);
  }
  const names = Object.keys(data);
  return {
    names: new Set(names.filter(isServiceName)),
    unusable: names.filter((name) => !isServiceName(name)),
  };
}

const strings = z.record(z.string(), z.string()).nullish();
const checks = z.array(z.object({ Status: z.string() })).nullish();

/** The parts of `/v1/health/service/:name` that are read; Consul writes empty lists and maps as null. */
const entrySchema = z.object({
  Node: z.object({
    Node: z.string().min(1),
    Address: z.string(),
    Datacenter: z.string().nullish(),
    Partition: z.string().nullish(),
    TaggedAddresses: strings,
  }),
  Service: z.object({
    ID: z.string().min(1),
    Kind: z.string().nullish(),
    Namespace: z.string().nullish(),
    Address: z.string().nullish(),
    Port: z.number().int().min(0).max(65_535),
    Tags: z.array(z.string()).nullish(),
    Meta: strings,
    TaggedAddresses: z.record(z.string(), z.object({ Address: z.string(), Port: z.number() })).nullish(),
    Weights: z.object({ Passing: z.number(), Warning: z.number() }).nullish(),
  }),
  Checks: checks,
});
type Entry = z.output<typeof entrySchema>;

/** The part that tells which instance an otherwise unusable entry is about. */
const identitySchema = z.object({
  Node: z.object({
    Node: z.string(),
    Datacenter: z.string().nullish().catch(undefined),
    Partition: z.string().nullish().catch(undefined),
  }),
  Service: z.object({ ID: z.string(), Namespace: z.string().nullish().catch(undefined) }),
});

const healthSchema = z.object({ Checks: checks });

/** How the instances of one scope of Consul are read: a datacenter, and in Consul Enterprise a namespace of it. */
export interface ScopeReading extends CatalogReading {
  /** Of instances that say none: `region/zone/subzone`. */
  readonly locality: string;
}

/**
 * Reads `/v1/health/service/:name`. An entry that cannot be used is refused alone. Entries of Consul's own mesh
 * (`connect-proxy`, gateways) are left out: the services behind them are listed themselves. Throws when it is no such
 * answer at all.
 */
export function parseServiceAnswer(service: string, body: unknown, reading: ScopeReading): ServiceAnswer {
  if (!Array.isArray(body)) {
    throw new MeshError(
      "registry.unavailable",
      `read consul's instances of ${service}: the answer is not a list`,
    );
  }
  const instances = new Map<string, CatalogInstance>();
  const refused = new Map<string, boolean | undefined>();
  const problems: InstanceProblem[] = [];
  for (const [index, raw] of body.entries()) {
    const parsed = entrySchema.safeParse(raw);
    const id = identityOf(raw) ?? `entry ${index}`;
    if (!parsed.success) {
      refused.set(id, healthOf(raw, reading));
      problems.push({ instance: id, problem: parsed.error.issues.map(issueText).join("; ") });
    } else if (!parsed.data.Service.Kind) {
      const { instance, violations } = toInstance(service, parsed.data, reading);
      const problem = instances.has(id)
        ? "this id is listed twice"
        : violations.map(violationText).join("; ");
      if (problem !== "") problems.push({ instance: id, problem });
      if (instance === undefined) refused.set(id, healthOf(raw, reading));
      else if (!instances.has(id)) instances.set(id, instance);
    }
  }
  return { instances: [...instances.values()], refused, problems };
}

function toInstance(
  service: string,
  entry: Entry,
  reading: ScopeReading,
): { readonly instance: CatalogInstance | undefined; readonly violations: readonly Violation[] } {
  const { Node, Service } = entry;
  const { hints, problems } = parseServiceHints(
    service,
    Service.Tags ?? [],
    Service.Meta ?? {},
    reading.vocabulary,
  );
  const violations = [...problems];
  const { address, port } = placeOf(entry, reading.taggedAddress);
  if (address === "") violations.push({ path: "Service.Address", message: "is empty", severity: "error" });
  if (Service.Port === 0) violations.push({ path: "Service.Port", message: "is 0", severity: "error" });
  if (violations.some(({ severity }) => severity === "error")) return { instance: undefined, violations };
  const statuses = (entry.Checks ?? []).map(({ Status }) => Status);
  const weights = Service.Weights;
  const share = statuses.includes("warning") ? weights?.Warning : weights?.Passing;
  const instance: CatalogInstance = {
    id: instanceIdOf(entry),
    service,
    namespace: hints.namespace ?? (Service.Namespace || "default"),
    node: Node.Node,
    address,
    port,
    servicePort: hints.port,
    protocol: hints.protocol,
    labels: hints.labels,
    healthy: isHealthy(statuses, reading),
    weight: hints.weight ?? Math.max(1, Math.round(share ?? 1)),
    locality: hints.locality ?? reading.locality,
  };
  return { instance, violations };
}

function identityOf(raw: unknown): string | undefined {
  const { data } = identitySchema.safeParse(raw);
  return data === undefined ? undefined : instanceIdOf(data);
}

function instanceIdOf({ Node, Service }: z.output<typeof identitySchema>): string {
  const { Node: node, Datacenter, Partition } = Node;
  const place = {
    datacenter: Datacenter ?? "",
    partition: Partition ?? "",
    namespace: Service.Namespace ?? "",
  };
  return consulInstanceId({ ...place, node }, Service.ID);
}

function healthOf(raw: unknown, reading: CatalogReading): boolean | undefined {
  const { data } = healthSchema.safeParse(raw);
  return (
    data &&
    isHealthy(
      (data.Checks ?? []).map(({ Status }) => Status),
      reading,
    )
  );
}

function issueText(issue: z.core.$ZodIssue): string {
  return `${issue.path.join(".")}: ${issue.message}`;
}

function violationText({ path, message }: Violation): string {
  return `${path} ${message}`;
}
