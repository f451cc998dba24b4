import assert from "node:assert/strict";
import { test } from "node:test";
import { DEFAULT_MESH_CONFIG } from "./mesh-config.ts";
import { parseMeshConfigText } from "./parse-mesh-config.ts";

/** `line path: message` of each violation. */
function told(text: string): readonly string[] {
  return parseMeshConfigText(text, "mesh.yaml").violations.map(
    ({ line, path, message, severity }) => `${severity} ${line} ${path}: ${message}`,
  );
}

const BARE = `
trustDomain: prod.example.com
defaultConfig:
  concurrency: 2
`;

const DOCUMENT = `
apiVersion: mesh.istio.io/v1alpha1
kind: MeshConfig
metadata: { name: default }
spec:
  trustDomain: prod.example.com
  defaultConfig:
    concurrency: 2
`;

const CONFIG_MAP = `
apiVersion: v1
kind: ConfigMap
metadata: { name: istio, namespace: istio-system }
data:
  mesh: |-
    trustDomain: prod.example.com
    defaultConfig:
      concurrency: 2
  meshNetworks: "networks: {}"
`;

for (const [form, text] of Object.entries({ BARE, DOCUMENT, CONFIG_MAP })) {
  test(`the form ${form} is read`, () => {
    const { config, violations } = parseMeshConfigText(text, "mesh.yaml");
    assert.deepEqual(violations, []);
    assert.deepEqual(config, { ...DEFAULT_MESH_CONFIG, trustDomain: "prod.example.com", concurrency: 2 });
  });
}

for (const text of ["", "# nothing\n", "{}", "---\n"]) {
  test(`${JSON.stringify(text)} is the defaults`, () => {
    assert.deepEqual(parseMeshConfigText(text, "mesh.yaml"), { config: DEFAULT_MESH_CONFIG, violations: [] });
  });
}

test("a ConfigMap brings its networks along", () => {
  const text = `
kind: ConfigMap
data:
  mesh: "networks: { east: {} }"
  meshNetworks: |
    networks:
      west:
        gateways: [{ address: 1.2.3.4, port: 15443 }]
`;
  const { config, violations } = parseMeshConfigText(text, "mesh.yaml");
  assert.deepEqual(violations, []);
  assert.deepEqual(Object.keys(config?.networks ?? {}), ["east", "west"]);
  assert.equal(config?.networks["west"]?.gateways[0]?.port, 15443);
});

const findings = [
  {
    name: "bare",
    text: "trustDomain: a_b\nenableTracing: true\n",
    want: [
      'error 1 trustDomain: "a_b" is not a trust domain: DNS labels joined by dots',
      "warning 2 enableTracing: is accepted but not in force yet",
    ],
  },
  {
    name: "a document",
    text: `${DOCUMENT}  proxyHttpPort: 65536\n`,
    want: ["error 9 spec.proxyHttpPort: must be at most 65535"],
  },
  {
    name: "a ConfigMap, at the lines of the file",
    text: CONFIG_MAP.replace("concurrency: 2", "concurency: 2\n    proxyHttpPort: -1"),
    want: [
      "error 10 data.mesh.proxyHttpPort: must be at least 0",
      "warning 9 data.mesh.defaultConfig.concurency: unknown field (did you mean `concurrency`?)",
    ],
  },
  {
    name: "a ConfigMap whose text is on one line",
    text: 'kind: ConfigMap\ndata:\n  mesh: "trustDomain: a_b"\n  meshNetworks: "networks: 5"\n',
    want: [
      'error 3 data.mesh.trustDomain: "a_b" is not a trust domain: DNS labels joined by dots',
      "error 4 data.meshNetworks.networks: must be a mapping, not a number",
    ],
  },
  {
    name: "a ConfigMap whose text is no YAML",
    text: "kind: ConfigMap\ndata:\n  mesh: |\n    a: b\n    c: [\n",
    want: /^error 6? ?.*data\.mesh: is not valid YAML/,
  },
  {
    name: "a ConfigMap of something else",
    text: "kind: ConfigMap\ndata:\n  other: x\n",
    want: ["error 2 data.mesh: is required in a ConfigMap: the text of a MeshConfig"],
  },
  {
    name: "another kind",
    text: "apiVersion: v1\nkind: Secret\n",
    want: ["error 2 kind: must be MeshConfig or ConfigMap; a bare MeshConfig has no kind"],
  },
  {
    name: "a document with an old version",
    text: DOCUMENT.replace("v1alpha1", "v1"),
    want: ['error 2 apiVersion: must be one of mesh.istio.io/v1alpha1, not "mesh.istio.io/v1"'],
  },
  { name: "a list", text: "- a\n", want: ["error 1 : must be a mapping, not a list"] },
  {
    name: "two documents",
    text: `${BARE}---\ntrustDomain: x\n`,
    want: ["error 6 : is a second document: there must be only one"],
  },
  { name: "no YAML", text: "a: b: c\n", want: /^error 1 : is not valid YAML/ },
];

for (const { name, text, want } of findings) {
  test(`what is wrong with ${name} is told with its line`, () => {
    const lines = told(text);
    if (want instanceof RegExp) assert.match(lines.join("\n"), want);
    else assert.deepEqual(lines, want);
    const failed = lines.some((line) => line.startsWith("error"));
    assert.equal(parseMeshConfigText(text, "mesh.yaml").config === undefined, failed);
  });
}

test("violations name the file", () => {
  assert.equal(parseMeshConfigText("trustDomain: a_b", "mesh.yaml").violations[0]?.file, "mesh.yaml");
});
