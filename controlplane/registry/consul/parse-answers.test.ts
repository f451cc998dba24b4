import assert from "node:assert/strict";
import { test } from "node:test";
import { CATALOG_READING } from "../../../mesh/consul/catalog-reading.ts";
import { MeshError } from "../../../mesh/errors.ts";
import { parseServiceAnswer, parseServiceNames, type ScopeReading } from "./parse-answers.ts";

const READING: ScopeReading = { ...CATALOG_READING, locality: "" };

interface Parts {
  readonly node?: Readonly<Record<string, unknown>>;
  readonly service?: Readonly<Record<string, unknown>>;
  readonly checks?: readonly string[];
}

function entry({ node = {}, service = {}, checks = ["passing"] }: Parts = {}): unknown {
  return {
    Node: { Node: "node-1", Address: "10.0.0.1", Datacenter: "dc1", ...node },
    Service: { ID: "web-1", Service: "web", Address: "", Port: 80, Tags: null, Meta: null, ...service },
    Checks: checks.map((Status) => ({ Status })),
  };
}

function one(parts: Parts): ReturnType<typeof parseServiceAnswer>["instances"][number] | undefined {
  return parseServiceAnswer("web", [entry(parts)], READING).instances[0];
}

test("an instance that says little has the node's address and defaults", () => {
  assert.deepEqual(one({}), {
    id: "dc1/node-1/web-1",
    service: "web",
    namespace: "default",
    node: "node-1",
    address: "10.0.0.1",
    port: 80,
    servicePort: undefined,
    protocol: undefined,
    labels: { app: "web" },
    healthy: true,
    weight: 1,
    locality: "",
  });
});

const health: readonly { readonly checks: readonly string[]; readonly healthy: boolean }[] = [
  { checks: [], healthy: true },
  { checks: ["passing", "warning"], healthy: true },
  { checks: ["passing", "critical"], healthy: false },
  { checks: ["maintenance"], healthy: false },
];

for (const { checks, healthy } of health) {
  test(`checks [${checks.join(", ")}] make it ${healthy ? "healthy" : "unhealthy"}`, () => {
    assert.equal(one({ checks })?.healthy, healthy);
  });
}

test("Consul's weight is that of the state it is in, and never below 1; lateen's wins", () => {
  const Weights = { Passing: 10, Warning: 2 };
  assert.equal(one({ service: { Weights } })?.weight, 10);
  assert.equal(one({ service: { Weights }, checks: ["warning"] })?.weight, 2);
  assert.equal(one({ service: { Weights: { Passing: 0, Warning: 0 } } })?.weight, 1);
  assert.equal(one({ service: { Weights, Tags: ["lateen.weight=4"] } })?.weight, 4);
});

test("Consul's namespace stands in for lateen's", () => {
  assert.equal(one({ service: { Namespace: "shop" } })?.namespace, "shop");
  assert.equal(one({ service: { Namespace: "shop", Tags: ["lateen.namespace=x"] } })?.namespace, "x");
});

const refused: readonly { readonly name: string; readonly parts: Parts; readonly says: RegExp }[] = [
  { name: "no port", parts: { service: { Port: undefined } }, says: /Service\.Port/ },
  { name: "a port of 0", parts: { service: { Port: 0 } }, says: /Service\.Port is 0/ },
  { name: "a port that is text", parts: { service: { Port: "80" } }, says: /Service\.Port/ },
  { name: "no address at all", parts: { node: { Address: "" } }, says: /Service\.Address is empty/ },
  { name: "tags that are no list", parts: { service: { Tags: "a" } }, says: /Service\.Tags/ },
  {
    name: "a tag that cannot be used",
    parts: { service: { Tags: ["lateen.port=x"] } },
    says: /lateen\.port must be/,
  },
];

for (const { name, parts, says } of refused) {
  test(`an instance with ${name} is refused alone`, () => {
    const answer = parseServiceAnswer("web", [entry(parts), entry({ service: { ID: "web-2" } })], READING);
    assert.deepEqual(
      answer.instances.map(({ id }) => id),
      ["dc1/node-1/web-2"],
    );
    assert.deepEqual([...answer.refused.keys()], ["dc1/node-1/web-1"]);
    assert.equal(answer.problems.length, 1);
    assert.match(answer.problems[0]?.problem ?? "", says);
  });
}

test("an entry that is no object at all is refused alone", () => {
  const answer = parseServiceAnswer("web", [null, 7, entry()], READING);
  assert.equal(answer.instances.length, 1);
  assert.deepEqual(
    answer.problems.map(({ instance }) => instance),
    ["entry 0", "entry 1"],
  );
});

test("of two instances with one id the first counts", () => {
  const answer = parseServiceAnswer("web", [entry(), entry({ service: { Port: 81 } })], READING);
  assert.deepEqual(
    answer.instances.map(({ port }) => port),
    [80],
  );
  assert.deepEqual(answer.problems, [{ instance: "dc1/node-1/web-1", problem: "this id is listed twice" }]);
  assert.equal(answer.refused.size, 0);
});

test("an unknown word is told and refuses nothing", () => {
  const answer = parseServiceAnswer("web", [entry({ service: { Tags: ["lateen.injct=true"] } })], READING);
  assert.equal(answer.instances.length, 1);
  assert.match(answer.problems[0]?.problem ?? "", /did you mean inject/);
});

test("Consul's own proxies and gateways are no instances", () => {
  for (const Kind of ["connect-proxy", "mesh-gateway"]) {
    assert.deepEqual(parseServiceAnswer("web", [entry({ service: { Kind } })], READING).instances, []);
  }
});

test("an answer of another form is no answer", () => {
  assert.throws(() => parseServiceAnswer("web", {}, READING), MeshError);
  assert.throws(() => parseServiceNames([]), MeshError);
  assert.throws(() => parseServiceNames(null), MeshError);
  assert.throws(() => parseServiceNames({ web: [], reviews: 7 }), {
    code: "registry.unavailable",
    message: /reviews: .*expected array/,
  });
  assert.deepEqual([...parseServiceNames({ web: null }).names], ["web"]);
});

test("names that can be no host name are told apart", () => {
  const { names, unusable } = parseServiceNames({ web: [], "web sidecar": [], "a/b": [], _x: [] });
  assert.deepEqual([...names], ["web", "_x"]);
  assert.deepEqual(unusable, ["web sidecar", "a/b"]);
});
