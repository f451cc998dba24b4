import assert from "node:assert/strict";
import { test } from "node:test";
import { HostName } from "../../../mesh/xds/gen/lateen/names/v1/names.ts";
import { TYPE_URL } from "../../../mesh/xds/type-urls.ts";
import { added, objects, sampleState, workload } from "../../../test/fakes/sample-mesh.ts";
import { createTranslator } from "../translator.ts";

const entry = (name: string, spec: string): string => `
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: { name: ${name}, namespace: other }
spec: { ${spec}, ports: [{ number: 443, name: tls, protocol: TLS }] }
---`;
const YAML = [
  entry("told", "hosts: [told.test], resolution: STATIC, endpoints: [{ address: 10.0.0.9 }]"),
  entry(
    "given",
    "hosts: ['*.given.test'], addresses: [10.9.9.9, 10.8.0.0/16], resolution: STATIC, endpoints: [{ address: 10.0.0.9 }]",
  ),
  entry(
    "hidden",
    "hosts: [hidden.test], exportTo: ['.'], resolution: STATIC, endpoints: [{ address: 10.0.0.9 }]",
  ),
  entry("itself", "hosts: [looked-up.test], resolution: DNS"),
  entry("inside", "hosts: [inside.test], resolution: DNS, location: MESH_INTERNAL"),
  entry("anywhere", "hosts: ['*.anywhere.test'], resolution: NONE"),
].join("");

const CALLER = workload("caller", { vips: "loopback", discovery: "mesh", ports: [] });
const WORKLOADS = [
  CALLER,
  workload("captured", { interception: "redirect", discovery: "mesh", ports: [] }),
  workload("plain", { discovery: "mesh", ports: [] }),
  workload("reviews"),
  workload("ratings", { namespace: "other" }),
];

function start() {
  const state = sampleState({ workloads: WORKLOADS, yaml: YAML });
  const built: string[] = [];
  const translator = createTranslator({ onBuild: (key) => built.push(key) });
  const publish = (): void => {
    built.length = 0;
    const { snapshot, changed } = state.next();
    assert.deepEqual(translator.publish(snapshot, changed).failures, []);
  };
  publish();
  const namesOf = (id: string): readonly HostName[] =>
    [...(translator.preview(id)?.types.get(TYPE_URL.hostName)?.values() ?? [])]
      .map(({ bytes }) => HostName.decode(bytes))
      .toSorted((a, b) => (a.hostname < b.hostname ? -1 : 1));
  return { state, publish, built, namesOf };
}

test("who calls by addresses is told each host that it may call, by all its spellings; who does not is told nothing", () => {
  const { namesOf } = start();
  const own = namesOf("default/caller-1").filter(
    ({ hostname }) => !/^(caller|captured|plain)\./.test(hostname),
  );
  assert.deepEqual(
    own.map(({ hostname, aliases }) => [hostname, ...aliases].join(" ")),
    [
      "*.given.test",
      "ratings.other.svc.cluster.local ratings.other ratings.other.svc ratings.other.mesh",
      "reviews.default.svc.cluster.local reviews reviews.default reviews.default.svc reviews.default.mesh reviews.mesh reviews.service.consul",
      "told.test",
    ],
  );
  assert.deepEqual(own[0]?.addresses, ["10.9.9.9"], "a block is no address");
  assert.match(own[2]?.addresses.join() ?? "", /^240\.240\.\d+\.\d+$/);
  assert.deepEqual(
    namesOf("default/captured-1").map(({ hostname }) => hostname),
    namesOf("default/caller-1").map(({ hostname }) => hostname),
  );
  assert.deepEqual(namesOf("default/plain-1"), []);
});

test("a change costs the names that it touches", () => {
  const { state, publish, built, namesOf } = start();
  namesOf("default/caller-1");
  const yaml = YAML.replace("ports: [{ number: 443", "ports: [{ number: 444");
  state.setConfig(added(objects(yaml)).slice(0, 1), 2);
  publish();
  assert.equal(
    namesOf("default/caller-1").find(({ hostname }) => hostname === "told.test")?.ports[0]?.number,
    444,
  );
  const names = built.filter((key) => key.startsWith("host-name/"));
  assert.equal(names.length, 1, names.join("\n"));
});
