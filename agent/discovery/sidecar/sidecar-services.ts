import { MeshError } from "../../../mesh/errors.ts";
import { parseServiceHints, type ServiceHints } from "../../../mesh/model/vocabulary.ts";
import type { SocketAddress } from "../../../mesh/model/workload.ts";
import type { InboundWish, LocalService } from "../discovery.ts";
import { workloadName } from "../workload-name.ts";
import {
  type Environment,
  findGroupPort,
  type GroupPort,
  groupPort,
  hasOwnNetwork,
} from "./allocation-environment.ts";
import { parseClientSpec, parseServiceSpec, type ServiceSpec } from "./service-spec.ts";

export interface SidecarSettings {
  readonly services: readonly string[];
  readonly clients: readonly string[];
  /** `nomad`, `none` or `consul/NODE`. */
  readonly catalog: string;
  /** Of the workloads; undefined: as Nomad says. */
  readonly namespace?: string | undefined;
  readonly serviceAccount?: string | undefined;
}

/**
 * The services of an allocation, from what its sidecar is told and from the environment that Nomad gives a task. Throws
 * `config.invalid` with everything that is wrong.
 */
export function sidecarServices(
  settings: SidecarSettings,
  environment: Environment,
  loopback: string,
): readonly LocalService[] {
  const problems: string[] = [];
  const services: LocalService[] = [];
  const specs = [...settings.services.map(parseServiceSpec), ...settings.clients.map(parseClientSpec)];
  for (const spec of specs) {
    const read = typeof spec === "string" ? spec : toService(spec, settings, environment, loopback);
    if (typeof read === "string") problems.push(read);
    else services.push(read);
  }
  if (specs.length === 0) problems.push("no service is named: --service NAME=PORT, or --client NAME");
  const twice = services.find(({ id }, index) => services.findIndex((other) => other.id === id) !== index);
  if (twice !== undefined) problems.push(`${twice.service} is named twice with one port`);
  if (problems.length === 0) return services;
  throw new MeshError("config.invalid", `read the services of the sidecar: ${problems.join("; ")}`, {
    hint: "mend the arguments of its task: docs/nomad.md has what they may say",
  });
}

function toService(
  spec: ServiceSpec,
  settings: SidecarSettings,
  environment: Environment,
  loopback: string,
): LocalService | string {
  const { name, tags } = spec;
  const { hints, problems } = parseServiceHints(name, tags, {});
  const wrong = problems.filter(({ severity }) => severity === "error");
  if (wrong.length > 0) return wrong.map(({ path, message }) => `${name}: ${path} ${message}`).join("; ");
  const places = spec.port === "" ? CLIENT : placesOf(spec, hints.app, environment, loopback);
  if (typeof places === "string") return places;
  const allocation = environment["NOMAD_ALLOC_ID"] ?? "";
  // A dispatched or periodic job has the identity of the job that it is an instance of.
  const job = environment["NOMAD_JOB_PARENT_ID"] || environment["NOMAD_JOB_ID"];
  const serviceAccount = hints.serviceAccount ?? settings.serviceAccount ?? job ?? name;
  const { label, ...where } = places;
  return {
    id: workloadName([name, allocation.slice(0, 13), label].filter(Boolean).join("-"), "", ""),
    service: name,
    namespace: hints.namespace ?? settings.namespace ?? environment["NOMAD_NAMESPACE"] ?? "default",
    serviceAccount,
    ...where,
    servicePort: hints.port ?? where.address.port,
    ...saidOf(hints),
    healthy: true,
    catalog: label === "" ? undefined : catalogOf(spec, label, settings.catalog, environment),
    group: undefined,
    probe: undefined,
  };
}

function saidOf(
  hints: ServiceHints,
): Pick<
  LocalService,
  | "protocol"
  | "labels"
  | "upstreams"
  | "weight"
  | "locality"
  | "network"
  | "discovery"
  | "interception"
  | "owner"
  | "vips"
  | "mtls"
  | "httpProxy"
> {
  return {
    protocol: hints.protocol ?? "tcp",
    labels: hints.labels,
    upstreams: hints.upstreams,
    owner: hints.owner,
    vips: hints.vips,
    mtls: hints.mtls,
    weight: hints.weight ?? 1,
    locality: hints.locality ?? "",
    network: hints.network ?? "",
    discovery: hints.discovery,
    interception: hints.interception ?? "none",
    httpProxy: hints.httpProxy,
  };
}

interface Places {
  /** Of the port; empty: it has none. */
  readonly label: string;
  readonly address: SocketAddress;
  readonly app: SocketAddress | undefined;
  readonly inbound: InboundWish;
}

/** Its address is nobody's: it takes no calls. */
const CLIENT: Places = {
  label: "",
  address: { address: "0.0.0.0", port: 1 },
  app: undefined,
  inbound: { kind: "none" },
};

/**
 * The proxy is at the port `lateen_<label>`, which Nomad keeps free for it. Without one it has a port of the mesh's range, or,
 * where nobody could reach that, the service's own, which its application then has to leave to it.
 */
function placesOf(
  { name, port }: ServiceSpec,
  told: SocketAddress | undefined,
  environment: Environment,
  loopback: string,
): Places | string {
  const own = findGroupPort(environment, port);
  if (own === undefined) {
    return `${name}: the group has no port ${port} (there is no NOMAD_PORT_${port}): add it to its network block`;
  }
  const { label, inside } = own;
  const app = told ?? { address: loopback, port: inside.port };
  const proxy = groupPort(environment, `lateen_${label}`);
  if (proxy !== undefined) return { label, address: inside, app, inbound: mapped(proxy) };
  if (!hasOwnNetwork(environment)) return { label, address: inside, app, inbound: { kind: "mesh-port" } };
  if (told?.address.startsWith("127.") === true) return { label, address: inside, app, inbound: mapped(own) };
  return (
    `${name}: with a network of its own the group needs a port "lateen_${label}" { to = -1 } for the proxy, ` +
    `or the application has to listen on loopback and say it: lateen.app=127.0.0.1:${inside.port}`
  );
}

function mapped({ inside, outside }: GroupPort): InboundWish {
  return { kind: "mapped", announced: outside, bind: inside };
}

/** As Nomad names what it registers. */
function catalogOf(
  { name, task }: ServiceSpec,
  label: string,
  catalog: string,
  environment: Environment,
): LocalService["catalog"] {
  if (catalog === "none") return undefined;
  const owner = task ?? `group-${environment["NOMAD_GROUP_NAME"] ?? ""}`;
  const id = `_nomad-task-${environment["NOMAD_ALLOC_ID"] ?? ""}-${owner}-${name}-${label}`;
  const [registry = "", node] = catalog.split("/");
  return { registry, instanceId: node === undefined ? id : `${node}/${id}` };
}
