/** One service instance as a test registers it. */
export interface FakeInstance {
  readonly node: string;
  readonly id: string;
  readonly service: string;
  readonly address: string;
  readonly port: number;
  readonly tags?: readonly string[];
  readonly meta?: Readonly<Record<string, string>>;
  readonly kind?: string;
  /** Default `passing`. */
  readonly status?: "passing" | "warning" | "critical";
  readonly weights?: { readonly Passing: number; readonly Warning: number };
  readonly taggedAddresses?: Readonly<Record<string, { readonly Address: string; readonly Port: number }>>;
  /** Of a sidecar (`kind: connect-proxy`). */
  readonly proxy?: Readonly<Record<string, unknown>>;
}

/** What a catalog is of; empty: what an open-source Consul has alone. */
export interface FakeScope {
  readonly datacenter: string;
  readonly namespace: string;
}

/** The content of the fake Consul, and the index of the last change of each thing that can be watched. */
export class FakeCatalog {
  readonly #instances = new Map<string, FakeInstance>();
  readonly #nodes = new Map<string, string>();
  readonly #touched = new Map<string, number>();
  readonly scope: FakeScope;
  #index = 10;

  constructor(scope: FakeScope = { datacenter: "dc1", namespace: "" }) {
    this.scope = scope;
  }

  onChange: () => void = () => {};

  addNode(node: string, address: string): void {
    this.#nodes.set(node, address);
  }

  put(instance: FakeInstance): void {
    const key = `${instance.node}/${instance.id}`;
    const before = this.#instances.get(key);
    if (!this.#nodes.has(instance.node)) this.addNode(instance.node, instance.address);
    this.#instances.set(key, instance);
    this.#touch(before, instance);
  }

  remove(node: string, id: string): boolean {
    const before = this.#instances.get(`${node}/${id}`);
    if (before === undefined) return false;
    this.#instances.delete(`${node}/${id}`);
    this.#touch(before);
    return true;
  }

  /** All content and every index are lost, as when a server comes back without its data. */
  wipe(): void {
    this.#instances.clear();
    this.#touched.clear();
    this.#index = 3;
    this.onChange();
  }

  /** What Consul answers to a path, with its index; undefined: there is no such path. */
  answer(path: string): { readonly index: number; readonly body: unknown } | undefined {
    const [area, kind, rest = ""] = path.split("/").filter((part) => part !== "");
    const name = decodeURIComponent(rest);
    switch (`${area}/${kind}`) {
      case "catalog/services":
        return { index: this.#indexOf("services"), body: this.#serviceNames() };
      case "health/service":
        return {
          index: this.#indexOf(`service ${name}`),
          body: this.#select({ service: name }).map((one) => this.#entry(one)),
        };
      case "catalog/node":
        return { index: this.#indexOf(`node ${name}`), body: this.#node(name) };
      case "health/node":
        return { index: this.#indexOf(`node ${name}`), body: this.#select({ node: name }).map(checkOf) };
      default:
        return undefined;
    }
  }

  agentServices(node: string): unknown {
    return Object.fromEntries(
      this.#select({ node }).map((instance) => [instance.id, this.#serviceOf(instance)]),
    );
  }

  agentChecks(node: string): unknown {
    return Object.fromEntries(this.#select({ node }).map((one) => [`service:${one.id}`, checkOf(one)]));
  }

  addressOf(node: string): string {
    return this.#nodes.get(node) ?? "127.0.0.1";
  }

  #select(wanted: { readonly service?: string; readonly node?: string }): readonly FakeInstance[] {
    return [...this.#instances.values()].filter(
      ({ service, node }) => (wanted.service ?? service) === service && (wanted.node ?? node) === node,
    );
  }

  #serviceNames(): Readonly<Record<string, readonly string[]>> {
    const names = new Map<string, string[]>([["consul", []]]);
    for (const { service, tags } of this.#instances.values()) {
      names.set(service, [...(names.get(service) ?? []), ...(tags ?? [])]);
    }
    return Object.fromEntries(names);
  }

  #entry(instance: FakeInstance): unknown {
    return {
      Node: {
        Node: instance.node,
        Address: this.addressOf(instance.node),
        Datacenter: this.scope.datacenter,
      },
      Service: this.#serviceOf(instance),
      Checks: [{ CheckID: "serfHealth", Status: "passing", ServiceID: "" }, checkOf(instance)],
    };
  }

  #node(node: string): unknown {
    return {
      Node: { Node: node, Address: this.addressOf(node) },
      Services: Object.fromEntries(this.#select({ node }).map((one) => [one.id, this.#serviceOf(one)])),
    };
  }

  /** Only Consul Enterprise tells a namespace. */
  #serviceOf(instance: FakeInstance): Readonly<Record<string, unknown>> {
    const { namespace } = this.scope;
    return { ...serviceOf(instance), ...(namespace === "" ? {} : { Namespace: namespace }) };
  }

  #touch(...changed: readonly (FakeInstance | undefined)[]): void {
    this.#index++;
    this.#touched.set("services", this.#index);
    for (const instance of changed) {
      if (instance === undefined) continue;
      this.#touched.set(`service ${instance.service}`, this.#index);
      this.#touched.set(`node ${instance.node}`, this.#index);
    }
    this.onChange();
  }

  #indexOf(topic: string): number {
    return this.#touched.get(topic) ?? Math.min(this.#index, 3);
  }
}

function serviceOf(instance: FakeInstance): Readonly<Record<string, unknown>> {
  return {
    ID: instance.id,
    Service: instance.service,
    Kind: instance.kind ?? "",
    Address: instance.address,
    Port: instance.port,
    Tags: instance.tags ?? null,
    Meta: instance.meta ?? null,
    Weights: instance.weights ?? { Passing: 1, Warning: 1 },
    TaggedAddresses: instance.taggedAddresses ?? null,
    ...(instance.proxy === undefined ? {} : { Proxy: instance.proxy }),
  };
}

function checkOf(instance: FakeInstance): Readonly<Record<string, unknown>> {
  return {
    Node: instance.node,
    CheckID: `service:${instance.id}`,
    Status: instance.status ?? "passing",
    ServiceID: instance.id,
    ServiceName: instance.service,
  };
}
