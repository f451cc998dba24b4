import assert from "node:assert/strict";
import { test } from "node:test";
import { formatPath } from "../../../mesh/model/finding.ts";
import { objects } from "../../../test/fakes/sample-mesh.ts";
import { checkEnvoyFilter } from "./check-envoy-filter.ts";
import { types } from "./testing/base-resources.ts";
import { filter, patch } from "./testing/patch-case.ts";

const VALUE = "spec.configPatches[0].patch.value";
const PATCH = "spec.configPatches[0]";

const cases: readonly {
  readonly name: string;
  readonly patch: object;
  readonly want: readonly (readonly [severity: string, path: string, message: RegExp])[];
}[] = [
  {
    name: "a message of its kind",
    patch: patch("CLUSTER", "MERGE", {}, { connect_timeout: "1s" }),
    want: [],
  },
  { name: "a removal has no value", patch: patch("CLUSTER", "REMOVE", {}), want: [] },
  {
    name: "a value of another type",
    patch: patch("CLUSTER", "MERGE", {}, { connect_timeout: true }),
    want: [["error", VALUE, /is no CLUSTER: .*google\.protobuf\.Duration/]],
  },
  {
    name: "a message type that nobody knows",
    patch: patch(
      "HTTP_FILTER",
      "ADD",
      {},
      {
        name: "x",
        typed_config: { "@type": "type.googleapis.com/a.b.C" },
      },
    ),
    want: [["error", VALUE, /is no HTTP_FILTER: .*a\.b\.C is not in the type registry/]],
  },
  {
    name: "a listener without a name",
    patch: patch("LISTENER", "ADD", {}, { address: {} }),
    want: [["error", VALUE, /has no name/]],
  },
  {
    name: "a field that is not known",
    patch: patch("VIRTUAL_HOST", "MERGE", {}, { name: "a", no_such: 1 }),
    want: [["warning", VALUE, /is used in part: .*no_such/]],
  },
  {
    name: "an unknown field inside an Any",
    patch: patch("HTTP_FILTER", "ADD", {}, filter("x", "http.lua.v3.Lua", { no_such: 1 })),
    want: [["warning", VALUE, /is used in part: .*no_such/]],
  },
  {
    name: "what does nothing",
    patch: patch("CLUSTER", "REPLACE", {}, { name: "x" }),
    want: [["warning", PATCH, /REPLACE does nothing with applyTo CLUSTER/]],
  },
  {
    name: "a bootstrap",
    patch: patch("BOOTSTRAP", "MERGE", {}, { stats_flush_interval: "1s" }),
    want: [["warning", PATCH, /BOOTSTRAP cannot be applied over xDS/]],
  },
  {
    name: "a service by its short name",
    patch: patch("CLUSTER", "MERGE", { cluster: { service: "reviews" } }, { connect_timeout: "1s" }),
    want: [["warning", PATCH, /host reviews alone: .* full names/]],
  },
  {
    name: "fields that are not looked at",
    patch: {
      applyTo: "HTTP_FILTER",
      match: { listener: { portName: "http" } },
      patch: { operation: "INSERT_FIRST", value: { name: "x" }, filterClass: "AUTHN" },
    },
    want: [
      ["warning", PATCH, /portName is not looked at/],
      ["warning", PATCH, /without regard to filterClass/],
    ],
  },
];

for (const { name, patch: configPatch, want } of cases) {
  test(`checking an EnvoyFilter: ${name}`, () => {
    const [object] = objects(
      JSON.stringify({
        apiVersion: "networking.istio.io/v1alpha3",
        kind: "EnvoyFilter",
        metadata: { name: "f" },
        spec: { configPatches: [configPatch] },
      }),
    );
    assert.ok(object);
    const findings = checkEnvoyFilter(types, object);
    assert.deepEqual(
      findings.map(({ severity, path }) => [severity, formatPath(path)]),
      want.map(([severity, path]) => [severity, path]),
    );
    for (const [index, [, , message]] of want.entries())
      assert.match(findings[index]?.message ?? "", message);
  });
}

test("other objects have no patches", () => {
  const [object] = objects(
    "apiVersion: networking.istio.io/v1beta1\nkind: ProxyConfig\nmetadata: { name: p }\nspec: {}\n",
  );
  assert.ok(object);
  assert.deepEqual(checkEnvoyFilter(types, object), []);
});
