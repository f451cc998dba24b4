import assert from "node:assert/strict";
import { test } from "node:test";
import { sampleState, workload } from "../../../test/fakes/sample-mesh.ts";
import { viewOf } from "../../snapshot/snapshot-view.ts";
import { inboundPorts } from "./inbound-port.ts";

function entry(
  name: string,
  ports: string,
  { selector = "{ app: web }", namespace = "default" } = {},
): string {
  return `
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: { name: ${name}, namespace: ${namespace} }
spec:
  hosts: [${name}.example]
  location: MESH_INTERNAL
  resolution: STATIC
  ports: [${ports}]
  ${selector === "" ? "endpoints: [{ address: 10.0.0.1 }]" : `workloadSelector: { labels: ${selector} }`}
---`;
}

const TCP = "{ number: 5432, name: tcp, protocol: TCP }";
const captured = { interception: "redirect" } as const;

const cases: readonly {
  readonly name: string;
  readonly yaml: string;
  readonly over?: Parameters<typeof workload>[1];
  /** `number protocol bind` of each, beside what is registered. */
  readonly want: readonly string[];
}[] = [
  { name: "one that selects it", yaml: entry("db", TCP), want: ["5432 tcp 10.0.0.1:5432"] },
  {
    name: "the target port, when there is one",
    yaml: entry("web", "{ number: 80, name: http-2, protocol: HTTP, targetPort: 8081 }"),
    want: ["8081 http 10.0.0.1:8081"],
  },
  {
    name: "what nobody says it speaks as it is",
    yaml: entry("any", "{ number: 7000, name: any }"),
    want: ["7000 auto 10.0.0.1:7000"],
  },
  {
    name: "of two for one port the older",
    yaml: entry("older", TCP) + entry("younger", "{ number: 5432, name: http, protocol: HTTP }"),
    want: ["5432 tcp 10.0.0.1:5432"],
  },
  {
    name: "nothing for a port that is registered",
    yaml: entry("own", "{ number: 9080, name: x, protocol: TCP }"),
    want: [],
  },
  { name: "nothing of other labels", yaml: entry("db", TCP, { selector: "{ app: db }" }), want: [] },
  { name: "nothing of other namespaces", yaml: entry("db", TCP, { namespace: "shop" }), want: [] },
  { name: "nothing without a selector", yaml: entry("db", TCP, { selector: "" }), want: [] },
  { name: "nothing where nobody sends it what comes in", yaml: entry("db", TCP), over: {}, want: [] },
];
for (const { name, yaml, over = captured, want } of cases) {
  test(`a workload has the ports that ServiceEntries give it: ${name}`, () => {
    const web = workload("web", over);
    const { snapshot } = sampleState({ yaml, workloads: [web] }).next();
    const ports = inboundPorts(viewOf(snapshot), web);
    const told = ports.map(
      ({ number, protocol, bind }) => `${number} ${protocol} ${bind.address}:${bind.port}`,
    );
    assert.deepEqual(
      told.filter((one) => one !== "9080 http 10.0.0.1:9080"),
      want,
    );
    const { endpoints } = snapshot;
    const targets = [...endpoints.values()].flat().filter(({ workload: id }) => id === "default/web-1");
    const others = targets.flatMap((one) => one.targets).filter(({ port }) => port !== 9080);
    assert.deepEqual(
      [...new Set(others.map(({ address, port }) => `${address}:${port}`))],
      want.map((one) => one.split(" ")[2]),
    );
  });
}

test("behind a port map the proxy binds elsewhere than others reach it", () => {
  const bind = { address: "172.26.64.9", port: 29_000 };
  const [port] = workload("web").ports;
  const behind = workload("web", { ports: port === undefined ? [] : [{ ...port, bind }] });
  const { snapshot } = sampleState({ workloads: [behind] }).next();
  const [inbound] = inboundPorts(viewOf(snapshot), behind);
  assert.deepEqual(inbound?.bind, bind);
  assert.equal(inbound?.number, port?.servicePort);
  const targets = [...snapshot.endpoints.values()].flat().flatMap((one) => one.targets);
  assert.deepEqual(
    targets.map(({ address }) => address),
    [port?.inbound.address],
  );
});
