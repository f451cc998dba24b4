import { createHash } from "node:crypto";
import { NomadRegistry, type NomadTiming } from "../../controlplane/registry/nomad/nomad-registry.ts";
import type { RegistrySubject } from "../../controlplane/registry/registry.contract.ts";
import type { CatalogInstance } from "../../controlplane/registry/registry.ts";
import { systemClock } from "../../mesh/lifecycle/clock.ts";
import { nomadClient } from "../../mesh/nomad/nomad-client.ts";
import type { NomadSettings } from "../../mesh/nomad/nomad-settings.ts";
import { type Logger, silentLogger } from "../../mesh/telemetry/logger.ts";
import { NomadDouble } from "../fakes/nomad-double.ts";

/** Everything that takes seconds in earnest takes milliseconds. */
export const QUICK_NOMAD: Partial<NomadTiming> = {
  refillMs: 5,
  backoffFirstMs: 5,
  backoffMaxMs: 40,
  patienceMs: 500,
  settleMs: 20,
  outageSettleMs: 300,
  checksMs: 20,
  proofMs: 50,
  listMs: 20,
};

export async function nomadRegistry(
  settings: NomadSettings,
  timing: Partial<NomadTiming> = QUICK_NOMAD,
  logger: Logger = silentLogger,
): Promise<NomadRegistry & AsyncDisposable> {
  const client = await nomadClient(settings);
  const registry = new NomadRegistry({
    client,
    namespace: "*",
    clock: systemClock,
    random: Math.random,
    logger,
    timing,
  });
  return Object.assign(registry, { [Symbol.asyncDispose]: () => client[Symbol.asyncDispose]() });
}

export async function nomadRegistrySubject(): Promise<RegistrySubject> {
  const double = await NomadDouble.start();
  const registry = await nomadRegistry({ address: double.address });
  return {
    registry,
    own: [],
    put: async (instance) => putInstance(double, instance),
    remove: async ({ id }) => double.state.deregister(id),
    async [Symbol.asyncDispose]() {
      await registry[Symbol.asyncDispose]();
      await double[Symbol.asyncDispose]();
    },
  };
}

/** An instance as a job of its own, whose one check says whether it is healthy. */
export function putInstance({ state }: NomadDouble, instance: CatalogInstance): void {
  const { id, node, service, address, port, healthy } = instance;
  const allocation = uuidOf(id);
  const known = state.allocations.get(allocation);
  if (known === undefined) state.putAllocation({ ID: allocation, node, JobID: service });
  state.checks.set(allocation, {
    "7fc1e2a3": {
      ID: "7fc1e2a3",
      Mode: "healthiness",
      Status: healthy ? "success" : "failure",
      StatusCode: healthy ? 200 : 503,
      Output: healthy ? "nomad: http ok" : "",
      Timestamp: 1_700_000_000,
      Group: `${service}.app[0]`,
      Task: "app",
      Service: service,
      Check: "alive",
    },
  });
  const registered = {
    ID: id,
    ServiceName: service,
    Namespace: "default",
    NodeID: state.nodeId(node),
    Datacenter: "dc1",
    JobID: service,
    AllocID: allocation,
    Tags: tagsOf(instance),
    Address: address,
    Port: port,
  };
  const { CreateIndex: _, ModifyIndex: __, ...before } = state.registrations.get(id) ?? {};
  if (JSON.stringify(before) !== JSON.stringify(registered)) state.register(registered);
}

/** An allocation's id that stays the same for a name. */
function uuidOf(name: string): string {
  const hex = createHash("sha256").update(name).digest("hex");
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20, 32)].join(
    "-",
  );
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
