import assert from "node:assert/strict";
import { test } from "node:test";
import { objects, sampleState, workload } from "../../test/fakes/sample-mesh.ts";
import { keyOf } from "../snapshot/config-index.ts";
import { viewOf } from "../snapshot/snapshot-view.ts";
import { clientOf } from "./client.ts";
import { serviceFor } from "./services.ts";

const HOST = "api.example.com";
const MESH_HOST = "reviews.shop.svc.cluster.local";

/** Namespace and exportTo of a ServiceEntry; with a name where it is not the only one of its namespace. */
type Owner = readonly [namespace: string, exportTo: string, name?: string];

function serviceEntry(host: string, [namespace, exportTo, name = namespace]: Owner): string {
  return `
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: { name: ${name}, namespace: ${namespace} }
spec:
  hosts: [${host}]
  exportTo: [${exportTo}]
  resolution: STATIC
  ports: [{ number: 80, name: http, protocol: HTTP }]
  endpoints: [{ address: 192.0.2.1, labels: { of: ${name} } }]
`;
}

function sidecar(hosts: string): string {
  return `
apiVersion: networking.istio.io/v1
kind: Sidecar
metadata: { name: default, namespace: pay }
spec: { egress: [${hosts}] }
`;
}

interface Case {
  readonly name: string;
  /** The oldest first. */
  readonly owners: readonly Owner[];
  readonly sidecar?: string;
  /** By namespace of the client, the ServiceEntry that it has; undefined: no service. */
  readonly want: Readonly<Record<string, string | undefined>>;
}

const OWN: Owner = ["pay", "'.'"];
const EXPORTED: Owner = ["shop", "pay"];
const PRIVATE: Owner = ["bank", "'.'"];
const PUBLIC: Owner = ["edge", "'*'"];

const cases: readonly Case[] = [
  {
    name: "each of three teams has its own",
    owners: [PRIVATE, EXPORTED, OWN],
    want: { pay: "pay", bank: "bank", shop: undefined, other: undefined },
  },
  {
    name: "what is private to others is not there, however old",
    owners: [PRIVATE, EXPORTED],
    want: { pay: "shop", bank: "bank", other: undefined },
  },
  {
    name: "its own is nearer than an older public one, and others keep that",
    owners: [PUBLIC, ["pay", "'*'"]],
    want: { pay: "pay", edge: "edge", other: "edge" },
  },
  {
    name: "one exported by name is nearer than an older public one",
    owners: [PUBLIC, EXPORTED],
    want: { pay: "shop", shop: "edge", other: "edge" },
  },
  {
    name: "of two public ones the older is had",
    owners: [PUBLIC, ["shop", "'*'"]],
    want: { pay: "edge", shop: "shop", other: "edge" },
  },
  {
    name: "one that nobody sees is nobody's",
    owners: [["shop", "'~'"], PUBLIC],
    want: { shop: "edge", pay: "edge" },
  },
  {
    name: "a Sidecar says whose it is, against its own",
    owners: [OWN, EXPORTED, PUBLIC],
    sidecar: '{ hosts: ["edge/api.example.com", "*/*.local"] }',
    want: { pay: "edge", other: "edge" },
  },
  {
    name: "of those that a Sidecar imports the nearest is had, whichever listener imports it",
    owners: [PUBLIC, EXPORTED, OWN],
    sidecar: '{ port: { number: 80, protocol: HTTP, name: http }, hosts: ["edge/*"] }, { hosts: ["shop/*"] }',
    want: { pay: "shop" },
  },
  {
    name: "a Sidecar that imports none of them leaves the choice as it is",
    owners: [PUBLIC, EXPORTED, OWN],
    sidecar: '{ hosts: ["*/*.local"] }',
    want: { pay: "pay" },
  },
  {
    name: "a Sidecar cannot import what is private to others",
    owners: [PRIVATE, PUBLIC],
    sidecar: '{ hosts: ["bank/api.example.com"] }',
    want: { pay: "edge" },
  },
  {
    name: "a namespace has one for itself and one for the others",
    owners: [
      ["shop", "'*'", "for-all"],
      ["shop", "'.'", "own"],
    ],
    want: { shop: "own", pay: "for-all" },
  },
];

for (const { name, owners, sidecar: egress, want } of cases) {
  test(`of several services of one host: ${name}`, () => {
    const yaml = [...owners.map((one) => serviceEntry(HOST, one)), ...(egress ? [sidecar(egress)] : [])];
    const view = viewOf(sampleState({ yaml: yaml.join("---") }).next().snapshot);
    for (const [namespace, entry] of Object.entries(want)) {
      const service = serviceFor(view, HOST, clientOf(view, workload("", { namespace })));
      const endpoints = service && view.endpoints(service.key);
      assert.equal(endpoints?.map(({ labels }) => labels["of"]).join(), entry, namespace);
    }
  });
}

test("a service of a catalog is had by all but those who describe its host for themselves", () => {
  const yaml = [
    serviceEntry(MESH_HOST, OWN),
    serviceEntry(MESH_HOST, ["bank", "other"]),
    serviceEntry(MESH_HOST, ["shop", "'*'"]),
  ].join("---");
  const workloads = [workload("reviews", { namespace: "shop" })];
  const view = viewOf(sampleState({ yaml, workloads }).next().snapshot);
  const sourceFor = (namespace: string): string | undefined =>
    serviceFor(view, MESH_HOST, { namespace, prefers: [] })?.source;
  assert.deepEqual(["pay", "shop", "bank", "other"].map(sourceFor), [
    "ServiceEntry",
    "agents",
    "agents",
    "agents",
  ]);
});

test("a gateway has what its namespace has, whatever a Sidecar there says", () => {
  const yaml = [
    ...[PUBLIC, EXPORTED].map((one) => serviceEntry(HOST, one)),
    sidecar('{ hosts: ["edge/*"] }'),
  ].join("---");
  const view = viewOf(sampleState({ yaml }).next().snapshot);
  const ownerFor = (role: "gateway" | "sidecar"): string | undefined =>
    serviceFor(view, HOST, clientOf(view, workload("", { namespace: "pay", role })))?.namespace;
  assert.equal(ownerFor("gateway"), "shop");
  assert.equal(ownerFor("sidecar"), "edge");
});

test("the services of a host have one address, which stays while one of them is there", () => {
  const yaml = [PUBLIC, OWN].map((one) => serviceEntry(HOST, one)).join("---");
  const state = sampleState({ yaml });
  const both = viewOf(state.next().snapshot).services(HOST);
  const [before] = objects(yaml);
  assert.ok(before);
  state.setConfig([{ key: keyOf(before), before, after: undefined }], 3);
  const left = viewOf(state.next().snapshot).services(HOST);
  assert.deepEqual([both.length, left.length], [2, 1]);
  assert.equal(new Set([...both, ...left].flatMap(({ addresses }) => addresses)).size, 1);
});
