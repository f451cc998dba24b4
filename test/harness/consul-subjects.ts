import { ConsulRegistry } from "../../controlplane/registry/consul/consul-registry.ts";
import type { RegistrySubject } from "../../controlplane/registry/registry.contract.ts";
import type { CatalogInstance } from "../../controlplane/registry/registry.ts";
import { consulClient } from "../../mesh/consul/consul-client.ts";
import { systemClock } from "../../mesh/lifecycle/clock.ts";
import { silentLogger } from "../../mesh/telemetry/logger.ts";
import { type RunningConsul, startConsul } from "../../setup/run-consul.ts";
import { ConsulDouble } from "../fakes/consul-double.ts";

type Timing = NonNullable<ConstructorParameters<typeof ConsulRegistry>[0]["timing"]>;

/** Everything that takes seconds in earnest takes milliseconds. */
export const QUICK: Timing = {
  refillMs: 5,
  backoffFirstMs: 5,
  backoffMaxMs: 40,
  patienceMs: 150,
  settleMs: 20,
  outageSettleMs: 300,
};

export function consulRegistry(address: string, timing: Timing = {}): ConsulRegistry & Disposable {
  const client = consulClient({ address, maxBodyBytes: 1 << 20, bodyTimeoutMs: timing.patienceMs ?? 10_000 });
  const registry = new ConsulRegistry({
    client,
    clock: systemClock,
    random: Math.random,
    logger: silentLogger,
    timing,
  });
  return Object.assign(registry, { [Symbol.dispose]: () => client[Symbol.dispose]() });
}

export async function fakeConsulSubject(): Promise<RegistrySubject> {
  const double = await ConsulDouble.start();
  const registry = consulRegistry(double.address, QUICK);
  return {
    registry,
    own: [],
    put: async (instance) => {
      const { node, address, port, service } = instance;
      const status = instance.healthy ? "passing" : "critical";
      double.catalog.put({
        node,
        id: serviceId(instance),
        service,
        address,
        port,
        tags: tagsOf(instance),
        status,
      });
    },
    remove: async (instance) => void double.catalog.remove(instance.node, serviceId(instance)),
    async [Symbol.asyncDispose]() {
      registry[Symbol.dispose]();
      await double[Symbol.asyncDispose]();
    },
  };
}

export async function realConsulSubject(binary: string): Promise<RegistrySubject> {
  const consul = await startConsul(binary);
  const registry = consulRegistry(consul.address);
  return {
    registry,
    own: ["consul"],
    put: (instance) => putIntoCatalog(consul, instance),
    remove: (instance) =>
      consul.put("/catalog/deregister", { Node: instance.node, ServiceID: serviceId(instance) }),
    async [Symbol.asyncDispose]() {
      registry[Symbol.dispose]();
      await consul[Symbol.asyncDispose]();
    },
  };
}

/** As an agent of that node would: on nodes that no agent has, anti-entropy does not undo it. */
async function putIntoCatalog(consul: RunningConsul, instance: CatalogInstance): Promise<void> {
  const ID = serviceId(instance);
  await consul.put("/catalog/register", {
    Node: instance.node,
    Address: "10.9.9.9",
    Service: {
      ID,
      Service: instance.service,
      Address: instance.address,
      Port: instance.port,
      Tags: tagsOf(instance),
    },
    Check: {
      CheckID: `service:${ID}`,
      Name: "health",
      ServiceID: ID,
      Status: instance.healthy ? "passing" : "critical",
    },
  });
}

function serviceId({ node, id }: CatalogInstance): string {
  return id.slice(`dc1/${node}/`.length);
}

function tagsOf(instance: CatalogInstance): readonly string[] {
  const { namespace, servicePort, protocol, labels, weight, locality } = instance;
  return [
    "primary",
    ...(namespace === "default" ? [] : [`lateen.namespace=${namespace}`]),
    ...(servicePort === undefined ? [] : [`lateen.port=${servicePort}`]),
    ...(protocol === undefined ? [] : [`lateen.protocol=${protocol}`]),
    ...Object.entries(labels).map(([key, value]) => `lateen.label.${key}=${value}`),
    ...(weight === 1 ? [] : [`lateen.weight=${weight}`]),
    ...(locality === "" ? [] : [`lateen.locality=${locality}`]),
  ];
}
