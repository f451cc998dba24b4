import assert from "node:assert/strict";
import { test } from "node:test";
import type { EncodedResource } from "../../../mesh/xds/encoded-resource.ts";
import { client } from "../../../test/fakes/in-scope.ts";
import { added, instance, objects, sampleState, workload } from "../../../test/fakes/sample-mesh.ts";
import type { Client } from "../../policy/client.ts";
import type { MeshState } from "../../snapshot/mesh-state.ts";
import { assignmentsOf } from "../endpoints/service-assignments.ts";
import { Memo, type Scope } from "../memo.ts";
import { clustersOf } from "./service-clusters.ts";

const WEB = "web.default.svc.cluster.local";
const API = "api.example.com";

/** A memo over a state, with what it built since the last look. */
class Mesh {
  readonly #state: MeshState;
  readonly #memo: Memo;
  #built: string[] = [];

  constructor(yaml = "") {
    const instances = [
      instance("web", { id: "a", address: "10.0.0.1", locality: "eu/a" }),
      instance("web", { id: "b", address: "10.0.0.2", locality: "us/a" }),
    ];
    this.#state = sampleState({ yaml, instances, workloads: [workload("web", { locality: "eu/a" })] });
    this.#memo = new Memo(this.#state.next().snapshot, (key) => this.#built.push(key));
  }

  resources(
    from: Partial<Client>,
    of: typeof clustersOf = clustersOf,
    host = WEB,
  ): readonly EncodedResource[] {
    const whole = client(from);
    const key = `${of.name} ${host} ${JSON.stringify(from)}`;
    return this.#memo.root(key, (scope: Scope) => of(scope, whole, host));
  }

  change(edit: (state: MeshState) => void): void {
    edit(this.#state);
    const { snapshot, changed } = this.#state.next();
    this.#memo.advance(snapshot, changed);
    this.#built = [];
  }

  /** Kinds of what was built: what stands before the first `/`; roots are not looked at. */
  get built(): readonly string[] {
    return [...new Set(this.#built.flatMap((key) => /^([a-z]+)\//.exec(key)?.[1] ?? []))].sort();
  }
}

const rule = (spec: string, host = "web"): string => `
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: { name: web }
spec: { host: ${host}, ${spec} }
---
`;
const OUTLIERS = "trafficPolicy: { outlierDetection: { consecutive5xxErrors: 5 } }";

const external = (resolution: string): string => `
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: { name: api }
spec:
  hosts: [${API}]
  resolution: ${resolution}
  ports: [{ number: 443, name: http, protocol: HTTP }]
---
`;

interface Case {
  readonly name: string;
  readonly yaml?: string;
  readonly host?: string;
  readonly of?: typeof clustersOf;
  readonly clients: readonly [Partial<Client>, Partial<Client>];
  readonly shared: boolean;
}

const far = {
  namespace: "other",
  locality: "us/b",
  network: "n2",
  captured: true,
  labels: { app: "x" },
} as const;

const cases: readonly Case[] = [
  { name: "clusters that nothing of the client matters for", clients: [{}, far], shared: true },
  { name: "clusters under the same rule", yaml: rule(OUTLIERS), clients: [{}, far], shared: true },
  {
    name: "clusters under a rule for one namespace",
    yaml: rule('exportTo: ["."]'),
    clients: [{}, far],
    shared: false,
  },
  { name: "clusters of a sidecar and of a gateway", clients: [{}, { role: "gateway" }], shared: true },
  {
    name: "clusters that go where the call went",
    yaml: external("NONE"),
    host: API,
    clients: [{}, { captured: true }],
    shared: false,
  },
  {
    name: "clusters with names, near or far",
    yaml: external("DNS"),
    host: API,
    clients: [{}, far],
    shared: true,
  },
  {
    name: "clusters with TLS by host or by name",
    yaml: external("DNS") + rule("trafficPolicy: { tls: { mode: SIMPLE } }", API),
    host: API,
    clients: [{}, { captured: true }],
    shared: false,
  },
  { name: "endpoints that are all alike", of: assignmentsOf, clients: [{}, far], shared: true },
  {
    name: "endpoints under another rule that says nothing of them",
    yaml: rule('exportTo: ["."], trafficPolicy: { connectionPool: { tcp: { maxConnections: 1 } } }'),
    of: assignmentsOf,
    clients: [{}, far],
    shared: true,
  },
  {
    name: "endpoints in order of nearness, from two regions",
    yaml: rule(OUTLIERS),
    of: assignmentsOf,
    clients: [{ locality: "eu/a" }, { locality: "us/a" }],
    shared: false,
  },
  {
    name: "endpoints in order of nearness, from two places for which it is the same",
    yaml: rule(OUTLIERS),
    of: assignmentsOf,
    clients: [
      { locality: "eu/b", network: "n1" },
      { locality: "eu/c", namespace: "other" },
    ],
    shared: true,
  },
];
for (const { name, yaml, host, of, clients, shared } of cases) {
  test(`${name} are ${shared ? "one object" : "two"}`, () => {
    const mesh = new Mesh(yaml);
    const [[a], [b]] = [mesh.resources(clients[0], of, host), mesh.resources(clients[1], of, host)];
    assert.ok(a && b);
    assert.equal(a === b, shared);
  });
}

function both(mesh: Mesh): readonly EncodedResource[] {
  return [...mesh.resources({}), ...mesh.resources({}, assignmentsOf)];
}

test("a change of endpoints builds assignments only", () => {
  const mesh = new Mesh(rule(OUTLIERS));
  const [cluster] = both(mesh);
  mesh.change((state) =>
    state.setCatalog("consul", "default", "web", [
      instance("web", { id: "a", address: "10.0.0.9", locality: "eu/a" }),
    ]),
  );
  assert.equal(both(mesh)[0], cluster);
  assert.deepEqual(mesh.built, ["assignment", "localities"]);
});

test("a change of a rule that says nothing of endpoints builds clusters only", () => {
  const mesh = new Mesh(rule("subsets: [{ name: v1 }]"));
  const [base, , assignment] = both(mesh);
  mesh.change((state) => {
    const changes = added(
      objects(rule("subsets: [{ name: v1 }], trafficPolicy: { loadBalancer: { simple: RANDOM } }")),
    );
    state.setConfig(changes, 9);
  });
  const after = both(mesh);
  assert.notEqual(after[0], base);
  assert.equal(after[2], assignment);
  assert.deepEqual(mesh.built, ["cluster"]);
});

test("the rule's new content is in force even though its name is the same", () => {
  const mesh = new Mesh(rule("trafficPolicy: { loadBalancer: { simple: RANDOM } }"));
  const before = mesh.resources({})[0]?.version;
  mesh.change((state) => state.setConfig(added(objects(rule(OUTLIERS))), 9));
  assert.notEqual(mesh.resources({})[0]?.version, before);
});
