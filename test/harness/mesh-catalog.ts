import type { AdminClient } from "../../cli/client.ts";
import { startConsul } from "../../setup/run-consul.ts";
import { ConsulDouble } from "../fakes/consul-double.ts";
import type { HostSpec, PlacedHost } from "./mesh-topology.ts";
import { labelsOf, namespaceOf, portOf, protocolOf, serviceAccountOf, upstreamsOf } from "./mesh-topology.ts";
import { requireTool } from "./tools.ts";

export type CatalogKind = "embedded" | "consul" | "fake-consul";

/** Where the services of a test's mesh are registered. */
export interface MeshCatalog extends AsyncDisposable {
  readonly kind: CatalogKind;
  /** HTTP address for server and agents; undefined for the embedded catalog. */
  readonly consul: string | undefined;
  /** Registers it, or changes what is registered. */
  register(host: PlacedHost, healthy?: boolean): Promise<void>;
  deregister(host: PlacedHost): Promise<void>;
}

/** The server's own catalog; agents read a file. */
export function embeddedCatalog(admin: () => AdminClient): MeshCatalog {
  const pathOf = ({ name }: HostSpec): string => `/v1/registry/embedded/instances/${name}`;
  return {
    kind: "embedded",
    consul: undefined,
    register: async (host, healthy = true) => {
      await admin().put(pathOf(host), {
        service: host.service,
        namespace: namespaceOf(host),
        node: host.name,
        address: host.address,
        port: portOf(host),
        protocol: protocolOf(host),
        labels: labelsOf(host),
        healthy,
      });
    },
    deregister: async (host) => {
      await admin().delete(pathOf(host));
    },
    [Symbol.asyncDispose]: async () => {},
  };
}

/** A Consul of the test's own; agents find their services in it. */
export async function realConsulCatalog(): Promise<MeshCatalog> {
  const consul = await startConsul(requireTool("consul"));
  return {
    kind: "consul",
    consul: consul.address,
    register: async (host, healthy = true) => {
      await consul.register({
        ID: host.name,
        Name: host.service,
        Address: host.address,
        Port: portOf(host),
        Meta: metaOf(host),
        Check: { TTL: "1h", Status: "passing" },
      });
      // A check that is there already keeps its status when its service is registered again.
      await consul.put(`/agent/check/${healthy ? "pass" : "fail"}/service:${host.name}`);
    },
    deregister: (host) => consul.deregister(host.name),
    [Symbol.asyncDispose]: () => consul[Symbol.asyncDispose](),
  };
}

/** The scripted Consul: the same to server and agents, and it can be made to fail. */
export async function fakeConsulCatalog(): Promise<MeshCatalog & { readonly double: ConsulDouble }> {
  const double = await ConsulDouble.start();
  return {
    kind: "fake-consul",
    double,
    consul: double.address,
    register: async (host, healthy = true) => {
      double.catalog.put({
        node: NODE,
        id: host.name,
        service: host.service,
        address: host.address,
        port: portOf(host),
        meta: metaOf(host),
        status: healthy ? "passing" : "critical",
      });
    },
    deregister: async (host) => {
      double.catalog.remove(NODE, host.name);
    },
    [Symbol.asyncDispose]: () => double[Symbol.asyncDispose](),
  };
}

/** All simulated hosts share one Consul agent: each of ours takes what is registered at its address. */
const NODE = "node-1";

function metaOf(host: HostSpec): Readonly<Record<string, string>> {
  const upstreams = upstreamsOf(host).join(",");
  return {
    "lateen-inject": "true",
    "lateen-namespace": namespaceOf(host),
    "lateen-protocol": protocolOf(host),
    "lateen-sa": serviceAccountOf(host),
    ...(host.version === undefined ? {} : { "lateen-version": host.version }),
    ...(upstreams === "" ? {} : { "lateen-upstreams": upstreams }),
  };
}
