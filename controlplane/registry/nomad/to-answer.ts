import type { Violation } from "../../../mesh/model/violation.ts";
import { parseServiceHints } from "../../../mesh/model/vocabulary.ts";
import type { NomadRegistration } from "../../../mesh/nomad/nomad-services.ts";
import type { CatalogInstance } from "../registry.ts";
import type { InstanceProblem, ServiceAnswer } from "../service-answer.ts";

/** What is known beside a registration. */
export interface Beside {
  /** A node's name by its id; its id while the name is not known. */
  readonly nodeName: (nodeId: string) => string;
  readonly isHealthy: (registration: NomadRegistration) => boolean;
}

/** The registrations of one service as instances, each with what its tags say. One that cannot be used is refused alone. */
export function toAnswer(registrations: readonly NomadRegistration[], beside: Beside): ServiceAnswer {
  const instances: CatalogInstance[] = [];
  const refused = new Map<string, boolean>();
  const problems: InstanceProblem[] = [];
  for (const registration of registrations) {
    const { instance, violations } = toInstance(registration, beside);
    if (violations.length > 0) {
      const problem = violations.map(({ path, message }) => `${path} ${message}`).join("; ");
      problems.push({ instance: registration.id, problem });
    }
    if (instance === undefined) refused.set(registration.id, beside.isHealthy(registration));
    else instances.push(instance);
  }
  return { instances, refused, problems };
}

function toInstance(
  registration: NomadRegistration,
  { nodeName, isHealthy }: Beside,
): { readonly instance: CatalogInstance | undefined; readonly violations: readonly Violation[] } {
  const { id, service, address, port, tags, namespace, nodeId } = registration;
  const { hints, problems } = parseServiceHints(service, tags, {});
  const violations = [...problems];
  const home = hints.namespace ?? namespace;
  if (address === "") violations.push({ path: "Address", message: "is empty", severity: "error" });
  if (port === 0) violations.push({ path: "Port", message: "is 0", severity: "error" });
  if (!/^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/.test(home)) violations.push(noNamespace(home));
  if (violations.some(({ severity }) => severity === "error")) return { instance: undefined, violations };
  const instance: CatalogInstance = {
    id,
    service,
    namespace: home,
    node: nodeName(nodeId),
    address,
    port,
    servicePort: hints.port,
    protocol: hints.protocol,
    labels: hints.labels,
    healthy: isHealthy(registration),
    weight: hints.weight ?? 1,
    locality: hints.locality ?? "",
  };
  return { instance, violations };
}

function noNamespace(name: string): Violation {
  return {
    path: "Namespace",
    message: `“${name}” cannot be a namespace of the mesh: give one with lateen.namespace=…`,
    severity: "error",
  };
}
