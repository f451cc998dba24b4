import type { CatalogInstance } from "../controlplane/registry/registry.ts";
import { createTranslator } from "../controlplane/translate/translator.ts";
import type { WorkloadUpstream } from "../mesh/model/workload.ts";
import { nodeId } from "../mesh/xds/names.ts";
import { instance, sampleState, workload } from "../test/fakes/sample-mesh.ts";
import { type Result, rounded } from "./report.ts";

const SERVICES = 1_000;
const ENDPOINTS = 10;
const NODES = 100;
const UPSTREAMS = 10;
/** Services that are called at all: each by every tenth node. */
const CALLED = 100;
const WARM_UP = 200;
const CHANGES = 1_000;

/** CPU per change of one endpoint, of a service that 10 of 100 served nodes call. */
export function measureSnapshotCost(): readonly Result[] {
  const instances = Array.from({ length: SERVICES }, (_, service) => instancesOf(service)).flat();
  const workloads = Array.from({ length: NODES }, (_, node) =>
    workload("caller", { name: `caller-${node}`, upstreams: upstreamsOf(node) }),
  );
  const state = sampleState({ instances, workloads });
  const translator = createTranslator();
  const first = state.next();
  translator.publish(first.snapshot, first.changed);
  for (const { name } of workloads) {
    const id = nodeId("10.0.0.1", name, "default", "cluster.local");
    if (translator.resourcesFor({ id, workload: `default/${name}` }) === undefined)
      throw new Error(`no ${name}`);
  }
  let [snapshotUs, translateUs] = [0, 0];
  for (let index = 0; index < WARM_UP + CHANGES; index++) {
    if (index === WARM_UP) [snapshotUs, translateUs] = [0, 0];
    const service = index % CALLED;
    const missing = (Math.floor(index / CALLED) + 1) % 2;
    const before = cpuUs();
    state.setCatalog("consul", "default", `service-${service}`, instancesOf(service).slice(missing));
    const { snapshot, changed } = state.next();
    const joined = cpuUs();
    const { failures } = translator.publish(snapshot, changed);
    translateUs += cpuUs() - joined;
    snapshotUs += joined - before;
    if (failures.length > 0) throw new Error(failures[0]?.reason);
  }
  const row = (name: string, us: number): Result => ({
    name: `${SERVICES} services × ${ENDPOINTS}, ${NODES} nodes: ${name}`,
    value: rounded(us / CHANGES / 1000, 3),
    unit: "ms CPU per change",
    target: null,
    better: "lower",
  });
  return [row("snapshot", snapshotUs), row("translation", translateUs)];
}

function instancesOf(service: number): readonly CatalogInstance[] {
  return Array.from({ length: ENDPOINTS }, (_, index) =>
    instance(`service-${service}`, {
      id: `service-${service}-${index}`,
      address: `10.${Math.floor(service / 250)}.${service % 250}.${index}`,
    }),
  );
}

function upstreamsOf(node: number): readonly WorkloadUpstream[] {
  return Array.from({ length: UPSTREAMS }, (_, index) => ({
    host: `service-${(node * UPSTREAMS + index) % CALLED}`,
    port: 9080,
    bind: { address: "127.0.0.1", port: 9100 + index },
  }));
}

function cpuUs(): number {
  const { user, system } = process.cpuUsage();
  return user + system;
}
