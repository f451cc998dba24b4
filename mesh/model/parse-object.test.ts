import assert from "node:assert/strict";
import { test } from "node:test";
import { parseObject } from "./parse-object.ts";

const OPTIONS = { defaultNamespace: "default" };

function policy(fields: object = {}): Record<string, unknown> {
  return {
    apiVersion: "security.istio.io/v1",
    kind: "PeerAuthentication",
    metadata: { name: "strict" },
    spec: { mtls: { mode: "STRICT" } },
    ...fields,
  };
}

function told(input: unknown): readonly string[] {
  return parseObject(input, OPTIONS).violations.map(
    ({ path, message, severity }) => `${severity} ${path}: ${message}`,
  );
}

test("an object keeps what its author wrote, without what a server sets", () => {
  const { object, violations } = parseObject(
    policy({
      metadata: {
        name: "strict",
        labels: { app: "a" },
        annotations: { "example.com/note": "anything: at all" },
        creationTimestamp: null,
        resourceVersion: "12",
        uid: "u",
        generation: 3,
        managedFields: [{}],
        selfLink: "/x",
      },
      status: { conditions: [] },
    }),
    OPTIONS,
  );
  assert.deepEqual(violations, []);
  assert.ok(object);
  assert.equal(object.apiVersion, "security.istio.io/v1");
  assert.deepEqual(object.metadata, {
    name: "strict",
    namespace: "default",
    labels: { app: "a" },
    annotations: { "example.com/note": "anything: at all" },
  });
  assert.deepEqual(object.written, {
    apiVersion: "security.istio.io/v1",
    kind: "PeerAuthentication",
    metadata: {
      name: "strict",
      namespace: "default",
      labels: { app: "a" },
      annotations: { "example.com/note": "anything: at all" },
    },
    spec: { mtls: { mode: "STRICT" } },
  });
});

test("what was written parses again, in another default namespace, into the same object", () => {
  const { object } = parseObject(policy({ metadata: { name: "strict", namespace: "shop" } }), OPTIONS);
  assert.ok(object);
  assert.deepEqual(parseObject(object.written, { defaultNamespace: "elsewhere" }).object, object);
});

test("each call has its own default namespace", () => {
  for (const namespace of ["a", "b", "a"]) {
    assert.equal(
      parseObject(policy(), { defaultNamespace: namespace }).object?.metadata.namespace,
      namespace,
    );
  }
});

const refused = [
  {
    name: "no object",
    input: "text",
    want: ["error : must be an object with apiVersion, kind, metadata and spec"],
  },
  { name: "a list", input: [], want: ["error : must be an object with apiVersion, kind, metadata and spec"] },
  { name: "no kind", input: {}, want: ["error kind: is required"] },
  {
    name: "a kind of Istio that is to come",
    input: policy({ kind: "WasmPlugin" }),
    want: ["error kind: WasmPlugin is not supported yet"],
  },
  {
    name: "a misspelt kind",
    input: policy({ kind: "PeerAuthentification" }),
    want: [
      'error kind: "PeerAuthentification" is not a kind that Lateen knows (did you mean `PeerAuthentication`?)',
    ],
  },
  { name: "a kind named like a method", input: policy({ kind: "toString" }), want: undefined },
  {
    name: "an unknown version",
    input: policy({ apiVersion: "security.istio.io/v2" }),
    want: [
      'error apiVersion: must be one of security.istio.io/v1, security.istio.io/v1beta1, not "security.istio.io/v2" (did you mean `security.istio.io/v1`?)',
    ],
  },
  {
    name: "a dry run of what would be in force all the same",
    input: policy({ metadata: { name: "strict", annotations: { "istio.io/dry-run": "true" } } }),
    want: [
      'error metadata.annotations["istio.io/dry-run"]: is for an AuthorizationPolicy: this object would be in force all the same',
    ],
  },
  {
    name: "a dry run of neither true nor false, and of AUDIT",
    input: {
      apiVersion: "security.istio.io/v1",
      kind: "AuthorizationPolicy",
      metadata: { name: "a", annotations: { "istio.io/dry-run": "yes" } },
      spec: { action: "AUDIT" },
    },
    want: [
      'error metadata.annotations["istio.io/dry-run"]: must be true or false, not "yes"',
      'error metadata.annotations["istio.io/dry-run"]: is for ALLOW and DENY, not for AUDIT',
    ],
  },
  { name: "no metadata", input: policy({ metadata: undefined }), want: ["error metadata: is required"] },
  {
    name: "metadata without or with wrong names",
    input: policy({ metadata: { namespace: "Shop.1", labels: { "a/b/c": "d" } } }),
    want: [
      "error metadata.name: is required",
      'error metadata.namespace: "Shop.1" is not a DNS label: small letters, digits and dashes, at most 63 characters',
      'error metadata.labels["a/b/c"]: "a/b/c" is not a valid key: letters, digits, "-", "_" and ".", with an optional "prefix/"',
    ],
  },
];

for (const { name, input, want } of refused) {
  test(`refused: ${name}`, () => {
    assert.equal(parseObject(input, OPTIONS).object, undefined);
    if (want !== undefined) assert.deepEqual(told(input), want);
  });
}

const owners: readonly (readonly [apiVersion: string | undefined, kind: string, want: RegExp])[] = [
  ["apps/v1", "Deployment", /^info kind: Deployment of apps\/v1 is not the mesh's: passed over$/],
  ["v1", "Service", /^info /],
  ["networking.k8s.io/v1", "NetworkPolicy", /^info /],
  ["apiextensions.k8s.io/v1", "CustomResourceDefinition", /^info /],
  ["gateway.example.com/v1alpha1", "Gateway", /^warning kind: .* passed over$/],
  ["install.istio.io/v1alpha1", "IstioOperator", /^info /],
  ["v1", "Servise", /^error kind: "Servise" is not a kind/],
  ["v1", "VirtualService", /^error apiVersion: must be one of/],
  ["networkin.istio.io/v1", "VirtualService", /^error apiVersion: .*did you mean/],
  ["networking.istio/v1", "VirtualService", /^error apiVersion: /],
  ["istio.io/v1", "AuthorizationPolicy", /^error apiVersion: /],
  ["config.istio.io/v1alpha2", "QuotaSpec", /^error kind: /],
  ["networking.istio.io/v1", "VirtualServise", /^error kind: .*did you mean `VirtualService`/],
  ["extensions.istio.io/v1alpha1", "WasmPlugin", /^error kind: WasmPlugin is not supported yet$/],
  ["gateway.networking.k8s.io/v1", "HTTPRoute", /^error kind: .*Gateway API is not supported yet$/],
  ["gateway.networking.k8s.io/v1", "Gateway", /^error kind: .*Gateway API is not supported yet$/],
  ["apps/next", "Deployment", /^error kind: /],
  [undefined, "Deployment", /^error kind: /],
];

for (const [apiVersion, kind, want] of owners) {
  test(`${kind} of ${apiVersion} is ${want.source.startsWith("^error") ? "an error" : "passed over"}`, () => {
    const input = { ...(apiVersion === undefined ? {} : { apiVersion }), kind, metadata: { name: "a" } };
    assert.equal(parseObject(input, OPTIONS).object, undefined);
    assert.match(told(input)[0] ?? "", want);
  });
}

const namespaces = [
  { namespace: "default", root: "mesh-root", accepted: true },
  { namespace: "mesh-root", root: "mesh-root", accepted: true },
  { namespace: "shop", root: "mesh-root", accepted: false },
  { namespace: "shop", root: undefined, accepted: true },
];
for (const { namespace, root, accepted } of namespaces) {
  test(`a MeshConfig in ${namespace} is ${accepted ? "accepted" : "refused"} where the root is ${root}`, () => {
    const { object, violations } = parseObject(
      { apiVersion: "mesh.istio.io/v1alpha1", kind: "MeshConfig", metadata: { name: "a", namespace } },
      { ...OPTIONS, ...(root === undefined ? {} : { rootNamespace: root }) },
    );
    assert.equal(object !== undefined, accepted);
    assert.deepEqual(
      violations.map(({ path }) => path),
      accepted ? [] : ["metadata.namespace"],
    );
  });
}

test("a ConfigMap with Istio's mesh configuration is passed over with a warning that says where it counts", () => {
  const input = {
    apiVersion: "v1",
    kind: "ConfigMap",
    metadata: { name: "istio", namespace: "istio-system" },
    data: { mesh: "enableAutoMtls: false" },
  };
  const { object, violations } = parseObject(input, OPTIONS);
  assert.equal(object, undefined);
  const [{ path, severity, message } = assert.fail("nothing is told")] = violations;
  assert.deepEqual([path, severity, violations.length], ["data.mesh", "warning", 1]);
  assert.match(message, /--mesh-config/);
});

test("unknown fields at the top and in the metadata are warnings", () => {
  assert.deepEqual(told(policy({ spek: {}, metadata: { name: "a", label: {} } })), [
    "warning metadata.label: unknown field (did you mean `labels`?)",
    "warning spek: unknown field (did you mean `spec`?)",
  ]);
});

for (const key of ["__proto__", "constructor", "prototype"]) {
  test(`a key ${key} is refused wherever it is`, () => {
    const input: unknown = JSON.parse(
      `{"kind": "PeerAuthentication", "metadata": {"labels": {"${key}": {"polluted": "yes"}}}}`,
    );
    assert.deepEqual(told(input), [`error metadata.labels.${key}: is a key that is not accepted`]);
    assert.equal("polluted" in {}, false);
  });
}

test("depth, cycles and size are bounded", () => {
  let deep: unknown = {};
  for (let level = 0; level < 100_000; level += 1) deep = { a: deep };
  assert.match(told(policy({ spec: deep })).join(), /nested more than 40 levels/);
  const cyclic: Record<string, unknown> = policy();
  cyclic["spec"] = cyclic;
  assert.match(told(cyclic).join(), /nested more than 40 levels/);
  const wide = Array.from({ length: 300_000 }, () => "a");
  assert.match(told(policy({ spec: { hosts: wide } })).join(), /more than 200000 values/);
});

test("values that JSON does not have are refused", () => {
  for (const value of [Number.NaN, Number.POSITIVE_INFINITY, 1n, Symbol("a"), () => 0]) {
    assert.equal(parseObject(policy({ spec: { mtls: { mode: value } } }), OPTIONS).object, undefined);
  }
});

test("of very many violations the first hundred are told and the rest is counted", () => {
  const unknown = Object.fromEntries(Array.from({ length: 5000 }, (_, index) => [`field${index}`, 1]));
  const { violations } = parseObject(policy({ spec: unknown }), OPTIONS);
  assert.equal(violations.length, 101);
  assert.equal(violations.at(-1)?.message, "and 4900 more violations");
});
