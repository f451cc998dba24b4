import * as z from "zod";
import { consulInstanceId, isHealthyStatus, isServiceName } from "../../../mesh/consul/names.ts";
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

/** The parts of `/v1/health/service/:name` that are read; Consul writes empty lists and maps as null. */
const entrySchema = z.object({
  Node: z.object({ Node: z.string().min(1), Address: z.string() }),
  Service: z.object({
    ID: z.string().min(1),
    Kind: z.string().nullish(),
    Namespace: z.string().nullish(),
    Address: z.string().nullish(),
    Port: z.number().int().min(0).max(65_535),
    Tags: z.array(z.string()).nullish(),
    Meta: strings,
    Weights: z.object({ Passing: z.number(), Warning: z.number() }).nullish(),
  }),
  Checks: z.array(z.object({ Status: z.string() })).nullish(),
});
type Entry = z.output<typeof entrySchema>;

/** The part that tells which instance an otherwise unusable entry is about. */
const identitySchema = z.object({
  Node: z.object({ Node: z.string() }),
  Service: z.object({ ID: z.string() }),
});

/**
 * Reads `/v1/health/service/:name`. An entry that cannot be used is refused alone. Entries of Consul's own mesh
 * (`connect-proxy`, gateways) are left out: the services behind them are listed themselves. Throws when it is no such
 * answer at all.
 */
export function parseServiceAnswer(service: string, body: unknown): ServiceAnswer {
  if (!Array.isArray(body)) {
    throw new MeshError(
      "registry.unavailable",
      `read consul's instances of ${service}: the answer is not a list`,
    );
  }
  const instances = new Map<string, CatalogInstance>();
  const refused = new Set<string>();
  const problems: InstanceProblem[] = [];
  for (const [index, raw] of body.entries()) {
    const parsed = entrySchema.safeParse(raw);
    const id = identityOf(raw) ?? `entry ${index}`;
    if (!parsed.success) {
      refused.add(id);
      problems.push({ instance: id, problem: parsed.error.issues.map(issueText).join("; ") });
    } else if (!parsed.data.Service.Kind) {
      const { instance, violations } = toInstance(service, parsed.data);
      const problem = instances.has(id)
        ? "this id is listed twice"
        : violations.map(violationText).join("; ");
      if (problem !== "") problems.push({ instance: id, problem });
      if (instance === undefined) refused.add(id);
      else if (!instances.has(id)) instances.set(id, instance);
    }
  }
  return { instances: [...instances.values()], refused, problems };
}

function toInstance(
  service: string,
  entry: Entry,
): { readonly instance: CatalogInstance | undefined; readonly violations: readonly Violation[] } {
  const { Node, Service } = entry;
  const { hints, problems } = parseServiceHints(service, Service.Tags ?? [], Service.Meta ?? {});
  const violations = [...problems];
  const address = Service.Address || Node.Address;
  if (address === "") violations.push({ path: "Service.Address", message: "is empty", severity: "error" });
  if (Service.Port === 0) violations.push({ path: "Service.Port", message: "is 0", severity: "error" });
  if (violations.some(({ severity }) => severity === "error")) return { instance: undefined, violations };
  const checks = (entry.Checks ?? []).map(({ Status }) => Status);
  const weights = Service.Weights;
  const share = checks.includes("warning") ? weights?.Warning : weights?.Passing;
  const instance: CatalogInstance = {
    id: consulInstanceId(Node.Node, Service.ID),
    service,
    namespace: hints.namespace ?? (Service.Namespace || "default"),
    node: Node.Node,
    address,
    port: Service.Port,
    servicePort: hints.port,
    protocol: hints.protocol,
    labels: hints.labels,
    healthy: checks.every(isHealthyStatus),
    weight: hints.weight ?? Math.max(1, Math.round(share ?? 1)),
    locality: hints.locality ?? "",
  };
  return { instance, violations };
}

function identityOf(raw: unknown): string | undefined {
  const { data } = identitySchema.safeParse(raw);
  return data === undefined ? undefined : consulInstanceId(data.Node.Node, data.Service.ID);
}

function issueText(issue: z.core.$ZodIssue): string {
  return `${issue.path.join(".")}: ${issue.message}`;
}

function violationText({ path, message }: Violation): string {
  return `${path} ${message}`;
}
