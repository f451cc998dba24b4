import assert from "node:assert/strict";
import { test } from "node:test";
import { objects } from "../../test/fakes/sample-mesh.ts";
import { workloadsFromEntries } from "./workloads-from-entries.ts";

function entry(name: string, spec: string): string {
  return `apiVersion: networking.istio.io/v1
kind: WorkloadEntry
metadata: { name: ${name} }
spec: ${spec}
`;
}

function service(name: string, spec: string): string {
  return `apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: { name: ${name} }
spec: { hosts: [${name}.example.com], location: MESH_INTERNAL, resolution: STATIC, ${spec} }
`;
}

function gateway(selector: string): string {
  return `apiVersion: networking.istio.io/v1
kind: Gateway
metadata: { name: edge }
spec:
  selector: ${selector}
  servers: [{ port: { number: 80, name: http, protocol: HTTP }, hosts: ["*"] }]
`;
}

const SELECTING =
  "ports: [{ number: 80, name: http, protocol: HTTP, targetPort: 8080 }], workloadSelector: { labels: { app: a } }";

const cases: readonly {
  readonly name: string;
  readonly yaml: readonly string[];
  /** Role and `name:port/protocol` of each port. */
  readonly want: readonly [string, readonly string[]];
}[] = [
  {
    name: "selected by label: the target port",
    yaml: [entry("a", "{ address: 10.0.0.1, labels: { app: a } }"), service("a", SELECTING)],
    want: ["sidecar", ["http:8080/http"]],
  },
  {
    name: "the entry's own number for the port's name wins",
    yaml: [
      entry("a", "{ address: 10.0.0.1, labels: { app: a }, ports: { http: 9999 } }"),
      service("a", SELECTING),
    ],
    want: ["sidecar", ["http:9999/http"]],
  },
  {
    name: "listed by address: the service's number",
    yaml: [
      entry("a", "{ address: 10.0.0.1 }"),
      service("a", "ports: [{ number: 5432, name: tcp, protocol: TCP }], endpoints: [{ address: 10.0.0.1 }]"),
    ],
    want: ["sidecar", ["tcp:5432/tcp"]],
  },
  {
    name: "whose address a service lists with ports of its own, twice: those",
    yaml: [
      entry("a", "{ address: 10.0.0.1, ports: { tcp: 5433 } }"),
      service(
        "a",
        "ports: [{ number: 5432, name: tcp, protocol: TCP }], endpoints: [{ address: 10.0.0.1, ports: { tcp: 6001 } }, { address: 10.0.0.1, ports: { tcp: 6002 } }, { address: 10.0.0.2 }]",
      ),
    ],
    want: ["sidecar", ["tcp:6001/tcp", "tcp:6002/tcp"]],
  },
  {
    name: "the same address in another network is another machine",
    yaml: [
      entry("a", "{ address: 10.0.0.1, network: far }"),
      service("a", "ports: [{ number: 5432, name: tcp, protocol: TCP }], endpoints: [{ address: 10.0.0.1 }]"),
    ],
    want: ["sidecar", []],
  },
  {
    name: "two services on one target port: the first by name has it",
    yaml: [
      entry("a", "{ address: 10.0.0.1, labels: { app: a } }"),
      service("b", SELECTING.replace("name: http", "name: second")),
      service("a", SELECTING),
    ],
    want: ["sidecar", ["second:8080/http"]],
  },
  {
    name: "serving nothing and selected by a Gateway: a gateway",
    yaml: [entry("a", "{ address: 10.0.0.1, labels: { istio: ingress } }"), gateway("{ istio: ingress }")],
    want: ["gateway", []],
  },
  {
    name: "selected by a Gateway and by the service that the mesh calls it by: a gateway",
    yaml: [
      entry("a", "{ address: 10.0.0.1, labels: { app: a } }"),
      gateway("{ app: a }"),
      service("a", SELECTING),
    ],
    want: ["gateway", []],
  },
  {
    name: "a Gateway without a selector makes nobody a gateway",
    yaml: [entry("a", "{ address: 10.0.0.1, labels: { app: a } }"), gateway("{}")],
    want: ["sidecar", []],
  },
];

for (const { name, yaml, want } of cases) {
  test(`a workload of a WorkloadEntry, ${name}`, () => {
    const [workload] = workloadsFromEntries(objects(yaml.join("---\n")), { interceptionMode: undefined });
    const ports = workload?.ports.map(({ name, protocol, servicePort, inbound, app }) => {
      assert.deepEqual(
        [inbound, app],
        [
          { address: "10.0.0.1", port: servicePort },
          { address: "127.0.0.1", port: servicePort },
        ],
      );
      return `${name}:${servicePort}/${protocol}`;
    });
    assert.deepEqual([workload?.role, ports], want);
  });
}

for (const [mode, want] of [
  [undefined, "redirect"],
  ["REDIRECT", "redirect"],
  ["TPROXY", "tproxy"],
  ["NONE", "none"],
] as const) {
  test(`interceptionMode ${mode} is ${want}`, () => {
    const [workload] = workloadsFromEntries(objects(entry("a", "{ address: 10.0.0.1 }")), {
      interceptionMode: mode,
    });
    assert.equal(workload?.interception, want);
  });
}

test("a gateway captures no calls: it has no application that makes them", () => {
  const [workload] = workloadsFromEntries(
    objects([entry("a", "{ address: 10.0.0.1, labels: { app: a } }"), gateway("{ app: a }")].join("---\n")),
    { interceptionMode: "REDIRECT" },
  );
  assert.equal(workload?.interception, "none");
});
