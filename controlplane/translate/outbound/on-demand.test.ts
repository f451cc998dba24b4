import assert from "node:assert/strict";
import { test } from "node:test";
import { Listener } from "../../../mesh/xds/gen/envoy/config/listener/v3/listener.ts";
import { VirtualHost } from "../../../mesh/xds/gen/envoy/config/route/v3/route_components.ts";
import { nodeId } from "../../../mesh/xds/names.ts";
import { TYPE_URL, type TypeUrl } from "../../../mesh/xds/type-urls.ts";
import { added, objects, port, sampleState, workload } from "../../../test/fakes/sample-mesh.ts";
import type { ResourceMap } from "../../xds/config-source.ts";
import { createTranslator } from "../translator.ts";

const DB = "outbound|5432||db.default.svc.cluster.local";
const LAZY = { discovery: "on-demand", vips: "loopback", ports: [] } as const;
const WORKLOADS = [
  workload("lazy", LAZY),
  workload("lazy", { ...LAZY, name: "lazy-2" }),
  workload("captured", { ...LAZY, vips: "none", interception: "redirect" }),
  workload("plain", { ports: [] }),
  workload("web"),
  workload("db", { ports: [port({ protocol: "tcp", name: "tcp", servicePort: 5432 })] }),
  workload("hidden", {
    namespace: "other",
    ports: [port({ protocol: "tcp", name: "tcp", servicePort: 5432 })],
  }),
];

const YAML = `
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: { name: private, namespace: other }
spec:
  hosts: [private.test]
  exportTo: ["."]
  resolution: STATIC
  ports: [{ number: 5432, name: tcp, protocol: TCP }]
  endpoints: [{ address: 10.0.0.9 }]
---
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: { name: any }
spec:
  hosts: [any.test]
  location: MESH_INTERNAL
  resolution: STATIC
  ports: [{ number: 7000, name: any }]
  endpoints: [{ address: 10.0.0.8, serviceAccount: any }]
`;

function start() {
  const state = sampleState({ workloads: WORKLOADS, yaml: YAML });
  const built: string[] = [];
  const told = new Map<string, readonly string[]>();
  const translator = createTranslator({
    onBuild: (key) => built.push(key),
    onAsked: (id, names) => {
      told.set(id, names);
      state.setObserved(id, names);
    },
  });
  const publish = (): void => {
    built.length = 0;
    const { snapshot, changed } = state.next();
    assert.deepEqual(translator.publish(snapshot, changed).failures, []);
  };
  publish();
  const maps = (id: string): ReadonlyMap<TypeUrl, ResourceMap> => {
    const resources = translator.preview(id);
    assert.ok(resources);
    return resources.types;
  };
  const ask = (id: string, ...names: readonly string[]): readonly string[] => {
    const node = { id: nodeId("10.0.0.1", id.split("/")[1] ?? "", "default", "cluster.local"), workload: id };
    return translator.asked?.(node, names) ?? [];
  };
  for (const id of ["default/lazy-1", "default/lazy-2", "default/plain-1"]) maps(id);
  const configure = (spec: string): void => {
    const yaml = `apiVersion: mesh.istio.io/v1alpha1
kind: MeshConfig
metadata: { name: mesh, namespace: istio-system }
spec: ${spec}`;
    state.setConfig(added(objects(yaml)), 2);
  };
  return { publish, maps, ask, told, built, configure };
}

const ASKED: readonly (readonly [what: string, name: string, from: string, awaited: boolean])[] = [
  ["the cluster of a service", DB, "lazy-1", true],
  ["a subset's", DB.replace("||", "|v1|"), "lazy-1", true],
  ["a virtual host", "9080/web", "lazy-1", true],
  ["the cluster of a service that is not exported to it", "outbound|5432||private.test", "lazy-1", false],
  ["the cluster of no service", "outbound|5432||nobody.default.svc.cluster.local", "lazy-1", false],
  ["a cluster that is no service's", "PassthroughCluster", "lazy-1", false],
  ["what is no name of ours", "outbound|5432|x|y|z", "lazy-1", false],
  ["all there are", "*", "lazy-1", false],
  ["anything, from a workload that does not ask on demand", DB, "plain-1", false],
];
for (const [what, name, from, awaited] of ASKED) {
  test(`${what} is ${awaited ? "looked up when" : "not looked up because"} it is asked for`, () => {
    assert.deepEqual(start().ask(`default/${from}`, name), awaited ? [name] : []);
  });
}

test("a call costs its clusters: listeners and routes are those of all workloads that ask on demand", () => {
  const { ask, publish, maps, built, told } = start();
  const before = maps("default/lazy-1");
  const listeners = before.get(TYPE_URL.listener);
  assert.ok(listeners && listeners.size > 2);
  assert.equal(before.get(TYPE_URL.cluster)?.has(DB), false);
  ask("default/lazy-1", DB);
  assert.deepEqual(told.get("default/lazy-1"), [DB]);
  publish();
  const after = maps("default/lazy-1");
  assert.equal(after.get(TYPE_URL.cluster)?.has(DB), true);
  for (const type of [TYPE_URL.listener, TYPE_URL.route]) {
    assert.equal(after.get(type), before.get(type));
    const other = maps("default/lazy-2").get(type);
    for (const [name, one] of after.get(type) ?? []) assert.equal(other?.get(name), one, name);
  }
  const resources = built.filter((key) => /^(cluster|assignment|listener|route)\//.test(key));
  assert.deepEqual(
    resources.filter((key) => !key.includes(DB)),
    [],
  );
  assert.equal(maps("default/lazy-2").get(TYPE_URL.cluster)?.has(DB), false);
});

test("what is answered for an address that nobody has follows the policy for unknown hosts", () => {
  const { ask, publish, maps, configure } = start();
  const answer = (): string | undefined => {
    const [one] = [...(maps("default/captured-1").get(TYPE_URL.virtualHost)?.values() ?? [])];
    return one && VirtualHost.decode(one.bytes).routes[0]?.name;
  };
  ask("default/captured-1", "9080/192.0.2.1");
  publish();
  assert.equal(answer(), "allow_any");
  configure("{ outboundTrafficPolicy: { mode: REGISTRY_ONLY } }");
  publish();
  assert.equal(answer(), "block_all");
});

test("what is asked for of a port whose protocol nobody says tells HTTP of the mesh apart, and nothing else does", () => {
  const { ask, publish, maps } = start();
  ask("default/lazy-1", "7000/any.test", "9080/web");
  publish();
  const answers = [...(maps("default/lazy-1").get(TYPE_URL.virtualHost)?.values() ?? [])];
  const enabled = answers.map(({ name, bytes }) => [
    name,
    Object.keys(VirtualHost.decode(bytes).routes[0]?.typedPerFilterConfig ?? {}),
  ]);
  assert.deepEqual(Object.fromEntries(enabled), { "7000/any.test": ["istio.alpn"], "9080/web": [] });
});

test("a name that is longer than any host's is not kept", () => {
  const { ask, told } = start();
  ask("default/lazy-1", `9080/${"a".repeat(100_000)}`);
  assert.equal(told.size, 0);
});

const tls = (name: string, number: number): string => `
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: { name: ${name} }
spec:
  hosts: [${name}.test]
  resolution: NONE
  ports: [{ number: ${number}, name: tls, protocol: TLS }]
`;

test("a service that comes to the port of others has a chain there, though the workload has called nothing", () => {
  const lazy = workload("lazy", { discovery: "on-demand", interception: "redirect", ports: [] });
  const state = sampleState({ workloads: [lazy], yaml: `${tls("a", 3306)}---${tls("b", 3307)}` });
  const translator = createTranslator();
  const served = (): readonly string[] => {
    const { snapshot, changed } = state.next();
    translator.publish(snapshot, changed);
    const listener = translator.preview("default/lazy-1")?.types.get(TYPE_URL.listener)?.get("0.0.0.0_3306");
    assert.ok(listener);
    const { filterChains } = Listener.decode(listener.bytes);
    return filterChains.flatMap(({ filterChainMatch }) => filterChainMatch?.serverNames ?? []);
  };
  assert.deepEqual(served(), ["a.test"]);
  state.setConfig(added(objects(tls("b", 3306))), 2);
  assert.deepEqual(served(), ["a.test", "b.test"]);
});
