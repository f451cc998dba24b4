import { createTranslator } from "../controlplane/translate/translator.ts";
import { nodeId } from "../mesh/xds/names.ts";
import { added, instance, objects, sampleState, workload } from "../test/fakes/sample-mesh.ts";
import { type Result, rounded } from "./report.ts";

/** Namespaces with a captured workload that may call all of the mesh. */
const CLASSES = 3;
const SERVICES_PER_PORT = 10;
const WARM_UP = 4;
const CHANGES = 20;

const ENTRY = `apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: { name: new }
spec:
  hosts: [new.example.com]
  ports: [{ number: 10003, name: http, protocol: HTTP }]
  resolution: STATIC
  endpoints: [{ address: 10.99.0.1 }]
`;

/** CPU per ServiceEntry that comes or goes, in a mesh of so many HTTP services of a catalog, ten to a port. */
export function measureServiceChurn(services: number): Result {
  const ports = Math.ceil(services / SERVICES_PER_PORT);
  const instances = Array.from({ length: services }, (_, index) =>
    instance(`service-${index}`, { servicePort: 10_000 + (index % ports) }),
  );
  const workloads = Array.from({ length: CLASSES }, (_, index) =>
    workload("caller", {
      namespace: `team-${index}`,
      service: "",
      discovery: "mesh",
      interception: "redirect",
    }),
  );
  const state = sampleState({ instances, workloads });
  const translator = createTranslator();
  const publish = (): void => {
    const { snapshot, changed } = state.next();
    const [failure] = translator.publish(snapshot, changed).failures;
    if (failure !== undefined) throw new Error(failure.reason);
  };
  publish();
  for (const { name, namespace } of workloads) {
    const id = nodeId("10.0.0.1", name, namespace, "cluster.local");
    if (translator.resourcesFor({ id, workload: `${namespace}/${name}` }) === undefined)
      throw new Error(`no ${id}`);
  }
  const comes = added(objects(ENTRY));
  const goes = comes.map(({ key, after }) => ({ key, before: after, after: undefined }));
  let before = 0;
  for (let index = 0; index < WARM_UP + CHANGES; index++) {
    if (index === WARM_UP) before = cpuUs();
    state.setConfig(index % 2 === 0 ? comes : goes, index + 1);
    publish();
  }
  return {
    name: `${services} services, ${CLASSES} classes of clients: a service comes or goes`,
    value: rounded((cpuUs() - before) / CHANGES / 1000, 2),
    unit: "ms CPU per change",
    target: null,
    better: "lower",
  };
}

function cpuUs(): number {
  const { user, system } = process.cpuUsage();
  return user + system;
}
