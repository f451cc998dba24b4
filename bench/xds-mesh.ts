import type { Placements } from "../controlplane/agents/placements.ts";
import type { CatalogInstance } from "../controlplane/registry/registry.ts";
import { DEFAULT_SETTINGS } from "../controlplane/snapshot/mesh-settings.ts";
import { Publisher } from "../controlplane/snapshot/publisher.ts";
import type { StoreChange } from "../controlplane/store/config-store.ts";
import { createTranslator, type Translator } from "../controlplane/translate/translator.ts";
import { systemClock } from "../mesh/lifecycle/clock.ts";
import type { StoredObject } from "../mesh/model/object.ts";
import type { Workload } from "../mesh/model/workload.ts";
import { silentLogger } from "../mesh/telemetry/logger.ts";
import { outboundClusterName } from "../mesh/xds/names.ts";
import { TYPE_URL } from "../mesh/xds/type-urls.ts";
import { added, objects } from "../test/fakes/sample-mesh.ts";
import type { MeshLayout } from "./xds-messages.ts";

const REGISTRY = "bench";
const FIRST_PORT = 10_000;

/** The resource as which proxies see a change. */
interface Shown {
  readonly type: string;
  readonly name: string;
}

/** A mesh of the layout's size, published, and changes to it. */
export class BenchMesh {
  readonly layout: MeshLayout;
  readonly translator: Translator;
  readonly publisher: Publisher;
  /** Of each service that was changed, how often. */
  readonly #changes = new Map<number, number>();
  readonly #objects = new Map<string, StoredObject>();
  readonly #first: readonly StoreChange[];
  #revision = 0;

  constructor(layout: MeshLayout, quietMs: number) {
    this.layout = layout;
    this.translator = createTranslator();
    this.publisher = new Publisher({
      settings: DEFAULT_SETTINGS,
      publish: (snapshot, changed) => this.translator.publish(snapshot, changed),
      logger: silentLogger,
      clock: systemClock,
      quietMs,
      capMs: 100,
    });
    const sidecar = layout.scoped === undefined ? "" : `---\n${sidecarTo(layout.scoped.services)}`;
    this.#first = this.#parse(`${virtualServices(layout.services)}${sidecar}`);
  }

  /** Takes everything in, parsed beforehand; it is published when the publisher runs. */
  fill(placements: Placements): void {
    const { layout } = this;
    for (let service = 0; service < layout.services; service++) this.#setEndpoints(service, 0);
    this.publisher.setConfig(this.#first, this.#revision);
    const workloads = placements.list();
    this.publisher.setWorkloads(
      workloads.map((workload) => ({ id: `${workload.namespace}/${workload.name}`, workload })),
    );
  }

  show(kind: "endpoint" | "route", service: number): Shown {
    const port = portOf(service, this.layout);
    return kind === "endpoint"
      ? { type: TYPE_URL.endpoints, name: outboundClusterName(port, "", hostOf(service)) }
      : { type: TYPE_URL.route, name: String(port) };
  }

  change(kind: "endpoint" | "route", service: number): void {
    const times = (this.#changes.get(service) ?? 0) + 1;
    this.#changes.set(service, times);
    if (kind === "endpoint") this.#setEndpoints(service, times);
    else this.publisher.setConfig(this.#parse(virtualService(service, times)), this.#revision);
  }

  #setEndpoints(service: number, times: number): void {
    const { layout } = this;
    const instances = Array.from({ length: layout.endpoints }, (_, index) =>
      instanceOf(service, index, portOf(service, layout), index === 0 ? times : 0),
    );
    this.publisher.setCatalog(REGISTRY, "default", nameOf(service), instances);
  }

  #parse(yaml: string): readonly StoreChange[] {
    const list = objects(yaml, this.#revision + 1);
    this.#revision += list.length;
    const changes = added(list).map((change) => ({ ...change, before: this.#objects.get(change.key) }));
    for (const { key, after } of changes) if (after !== undefined) this.#objects.set(key, after);
    return changes;
  }
}

/** The proxies; each is an instance of a service and serves a port of its own. The last ones are scoped. */
export function workloadsOf({ proxies, services, scoped, ...layout }: MeshLayout): readonly Workload[] {
  const few = scoped?.proxies ?? 0;
  return Array.from({ length: proxies }, (_, index) => {
    const service = index % services;
    const port = portOf(service, { services, ...layout });
    const address = `10.200.${index >> 8}.${index & 255}`;
    return {
      name: `proxy-${index}`,
      namespace: "default",
      service: nameOf(service),
      serviceAccount: nameOf(service),
      labels: { app: nameOf(service), scope: index < few ? "few" : "all" },
      ports: [
        {
          name: `http-${port}`,
          protocol: "http",
          servicePort: port,
          inbound: { address, port },
          app: { address: "127.0.0.1", port },
        },
      ],
      upstreams: [],
      healthy: true,
      weight: 1,
      locality: "",
      network: "",
      role: "sidecar",
      interception: "redirect",
      capturedAt: undefined,
      discovery: "mesh",
      httpProxy: undefined,
      vips: "none",
      reportsCalls: false,
      mtls: undefined,
      dataPlane: "envoy",
      catalog: undefined,
      group: undefined,
    };
  });
}

function instanceOf(service: number, index: number, port: number, times: number): CatalogInstance {
  return {
    id: `${nameOf(service)}-${index}`,
    service: nameOf(service),
    namespace: "default",
    node: `node-${(service + index) % 500}`,
    // The first one moves to another address with each change.
    address: `10.${times & 127}.${(service >> 4) & 255}.${((service & 15) << 4) + index}`,
    port,
    servicePort: port,
    protocol: "http",
    labels: { app: nameOf(service), version: `v${index % 3}` },
    healthy: true,
    weight: 1,
    locality: "",
  };
}

/** A tenth of the services have one. */
function virtualServices(services: number): string {
  const governed = Array.from({ length: Math.ceil(services / 10) }, (_, index) => index * 10);
  return governed.map((service) => virtualService(service, 0)).join("---\n");
}

function virtualService(service: number, times: number): string {
  return `apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: ${nameOf(service)}, namespace: default }
spec:
  hosts: [${nameOf(service)}]
  http:
  - match: [{ uri: { prefix: /v${times} } }]
    timeout: 3s
    retries: { attempts: 2, perTryTimeout: 1s }
    route: [{ destination: { host: ${nameOf(service)} } }]
  - route: [{ destination: { host: ${nameOf(service)} } }]
`;
}

function sidecarTo(services: number): string {
  const hosts = Array.from({ length: services }, (_, service) => `"./${hostOf(service)}"`);
  return `apiVersion: networking.istio.io/v1
kind: Sidecar
metadata: { name: scoped, namespace: default }
spec:
  workloadSelector: { labels: { scope: few } }
  egress: [{ hosts: [${hosts.join(", ")}] }]
`;
}

function nameOf(service: number): string {
  return `service-${service}`;
}

function hostOf(service: number): string {
  return `${nameOf(service)}.default.svc.${DEFAULT_SETTINGS.domainSuffix}`;
}

function portOf(service: number, { services, ports }: Pick<MeshLayout, "services" | "ports">): number {
  return FIRST_PORT + Math.floor((service * ports) / services);
}
