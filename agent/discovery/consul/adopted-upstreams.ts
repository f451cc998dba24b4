import * as z from "zod";
import { consulInstanceId } from "../../../mesh/consul/names.ts";
import type { LocalService, LocalUpstream } from "../discovery.ts";
import type { AgentServices, ConsulNode, RegistrationProblem } from "./parse-agent.ts";

const upstreamSchema = z.object({
  DestinationType: z.string().nullish(),
  DestinationNamespace: z.string().nullish(),
  DestinationName: z.string(),
  Datacenter: z.string().nullish(),
  LocalBindAddress: z.string().nullish(),
  LocalBindPort: z.number().int().min(1).max(65_535),
});
type Upstream = z.output<typeof upstreamSchema>;

const sidecarSchema = z.object({
  ID: z.string(),
  Kind: z.literal("connect-proxy"),
  Namespace: z.string().nullish(),
  Proxy: z.object({
    DestinationServiceID: z.string().min(1),
    Upstreams: z.array(z.unknown()).nullish(),
  }),
});
type Sidecar = z.output<typeof sidecarSchema>;

/**
 * Gives services of the mesh the upstreams that their Consul sidecars (`connect-proxy`) are registered with. Where both
 * bind the same port, the service's own counts. A sidecar of a service that is not in the mesh is left alone.
 */
export function adoptUpstreams(answer: AgentServices, registered: unknown, node: ConsulNode): AgentServices {
  const services = new Map(answer.services.map((service) => [service.catalog?.instanceId, service]));
  const problems = [...answer.problems];
  for (const raw of Object.values(registered ?? {})) {
    const { data: sidecar } = sidecarSchema.safeParse(raw);
    if (sidecar === undefined) continue;
    const place = { ...node, node: node.name, namespace: sidecar.Namespace ?? "" };
    const instance = consulInstanceId(place, sidecar.Proxy.DestinationServiceID);
    const service = services.get(instance);
    if (service === undefined) continue;
    const adopted = adopt(service, sidecar, node);
    services.set(instance, adopted.service);
    problems.push(...adopted.problems);
  }
  return { ...answer, services: [...services.values()], problems };
}

function adopt(
  service: LocalService,
  sidecar: Sidecar,
  node: ConsulNode,
): { readonly service: LocalService; readonly problems: readonly RegistrationProblem[] } {
  const upstreams: LocalUpstream[] = [...service.upstreams];
  const problems: RegistrationProblem[] = [];
  for (const [index, raw] of (sidecar.Proxy.Upstreams ?? []).entries()) {
    const complain = (message: string): void =>
      void problems.push({
        code: "host.registration",
        service: sidecar.ID,
        workload: `${service.namespace}/${service.id}`,
        path: `Proxy.Upstreams[${index}]`,
        message,
        severity: "warning",
      });
    const { data } = upstreamSchema.safeParse(raw);
    if (data === undefined || (data.DestinationType || "service") !== "service") {
      complain("is no upstream that can be had here: it wants a service and LocalBindPort");
      continue;
    }
    if (data.Datacenter && data.Datacenter !== node.datacenter)
      complain(`names datacenter ${data.Datacenter}: the service of all datacenters is called`);
    const upstream = toUpstream(data, service);
    if (upstreams.some((own) => bindsSame(own, upstream))) {
      if (!upstreams.some((own) => bindsSame(own, upstream) && own.host === upstream.host))
        complain(`binds port ${upstream.bindPort}, as another upstream of the service does: that one counts`);
      continue;
    }
    upstreams.push(upstream);
  }
  return { service: { ...service, upstreams }, problems };
}

/** Consul binds 127.0.0.1 where nothing is said, the agent its own loopback address. The service's port is not told. */
function toUpstream(upstream: Upstream, { namespace }: LocalService): LocalUpstream {
  const { DestinationName, DestinationNamespace, LocalBindAddress, LocalBindPort } = upstream;
  const elsewhere = DestinationNamespace && DestinationNamespace !== namespace;
  const isDefault = DestinationNamespace === "default";
  const host = elsewhere && !isDefault ? `${DestinationName}.${DestinationNamespace}` : DestinationName;
  return { host, port: 0, bindAddress: LocalBindAddress || undefined, bindPort: LocalBindPort };
}

function bindsSame(a: LocalUpstream, b: LocalUpstream): boolean {
  const port = ({ bindPort, port }: LocalUpstream): number => bindPort ?? port;
  const sameAddress =
    a.bindAddress === undefined || b.bindAddress === undefined || a.bindAddress === b.bindAddress;
  return sameAddress && port(a) === port(b);
}
