import assert from "node:assert/strict";
import { test } from "node:test";
import { type ParseDocumentsResult, parseDocuments } from "./parse-documents.ts";

function parse(text: string): ParseDocumentsResult {
  return parseDocuments(text, { defaultNamespace: "default", file: "mesh.yaml" });
}

/** `line path: message` of each violation. */
function told(text: string): readonly string[] {
  return parse(text).violations.map(({ line, path, message }) => `${line} ${path}: ${message}`);
}

function policy(name: string, mode = "STRICT"): string {
  return `apiVersion: security.istio.io/v1
kind: PeerAuthentication
metadata: {name: ${name}}
spec: {mtls: {mode: ${mode}}}
`;
}

test("several documents, empty ones and comments among them, become objects in their order", () => {
  const { objects, violations } = parse(
    `# a\n---\n${policy("a")}---\n\n---\n# nothing\n---\n${policy("b")}...\n`,
  );
  assert.deepEqual(violations, []);
  assert.deepEqual(
    objects.map(({ metadata }) => metadata.name),
    ["a", "b"],
  );
});

test("JSON, with tabs and escapes, is read as well", () => {
  const { objects, violations } = parse(
    `{\n\t"apiVersion": "security.istio.io/v1",\n\t"kind": "PeerAuthentication",\n\t"metadata": {"name": "a", "annotations": {"note": "\\ud83d\\ude00 \\/ \\u00e9"}}}`,
  );
  assert.deepEqual(violations, []);
  assert.equal(objects[0]?.metadata.annotations["note"], "😀 / é");
});

const one = { apiVersion: "security.istio.io/v1", kind: "PeerAuthentication", metadata: { name: "a" } };
const two = { ...one, metadata: { name: "b" } };
const lists = {
  "an array": [one, two],
  "kind List": { apiVersion: "v1", kind: "List", items: [one, two] },
  "a typed list": { apiVersion: "security.istio.io/v1", kind: "PeerAuthenticationList", items: [one, two] },
};

for (const [name, list] of Object.entries(lists)) {
  test(`${name} is read item by item`, () => {
    const { objects, violations } = parse(JSON.stringify(list));
    assert.deepEqual(violations, []);
    assert.deepEqual(
      objects.map(({ metadata }) => metadata.name),
      ["a", "b"],
    );
  });
}

test("a violation tells file, document, object, field and line", () => {
  const { objects, violations } = parse(`${policy("a")}---
apiVersion: security.istio.io/v1
kind: PeerAuthentication
metadata:
  name: b
  namespace: shop
spec:
  selector:
    matchLabels:
      app: x
  portLevelMtls:
    80:
      mode: STRICT
    81:
      mode: HARD
`);
  assert.deepEqual(
    objects.map(({ metadata }) => metadata.name),
    ["a"],
  );
  assert.deepEqual(violations, [
    {
      file: "mesh.yaml",
      document: 1,
      kind: "PeerAuthentication",
      namespace: "shop",
      name: "b",
      path: 'spec.portLevelMtls["81"].mode',
      message: 'must be one of UNSET, DISABLE, PERMISSIVE, STRICT, not "HARD"',
      severity: "error",
      line: 19,
    },
  ]);
});

test("a field that is missing is told at the line of the closest parent", () => {
  const text =
    "apiVersion: networking.istio.io/v1\nkind: WorkloadEntry\nmetadata:\n  name: a\nspec:\n  weight: 1\n";
  assert.deepEqual(told(text), ["5 spec.address: is required where there is no network"]);
});

test("in a list the line is that of the item", () => {
  const text = `kind: List\nitems:\n- apiVersion: security.istio.io/v1\n  kind: PeerAuthentication\n  metadata:\n    name: A\n`;
  assert.deepEqual(told(text), [
    '6 metadata.name: "A" is not a valid name: small letters, digits, dashes and dots (RFC 1123)',
  ]);
});

test("an alias is told at the line where it stands, and unfolded", () => {
  const text = `apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {name: a, labels: &l {app: x}}
spec:
  selector: {matchLabels: *l}
  rules: [{}]
`;
  const { objects, violations } = parse(text);
  assert.deepEqual(violations, []);
  assert.deepEqual(objects[0]?.kind === "AuthorizationPolicy" && objects[0].written["spec"], {
    selector: { matchLabels: { app: "x" } },
    rules: [{}],
  });
});

test("the same object twice is refused, with both places", () => {
  const { objects } = parse(`${policy("a")}---\n${policy("a", "DISABLE")}`);
  assert.equal(objects.length, 1);
  assert.deepEqual(told(`${policy("a")}---\n${policy("a", "DISABLE")}`), [
    "8 metadata.name: PeerAuthentication/default/a is defined a second time, first at line 1",
  ]);
});

const nothing = ["", "\n\n", "# only a comment", "---\n---\n", "null"];
for (const text of nothing) {
  test(`${JSON.stringify(text)} has no object and no violation`, () => {
    const { objects, violations } = parse(text);
    assert.deepEqual({ objects, violations }, { objects: [], violations: [] });
  });
}

const TOO_DEEP = /^1 : is nested more than 40 levels deep$/;
const STAIRS = Array.from({ length: 1400 }, (_, depth) => `${" ".repeat(depth)}a:\n`).join("");

const hostile = [
  { name: "no YAML", text: "a: [}\n", want: /1 : is not valid YAML/ },
  { name: "text that is no object", text: "hello", want: /1 : must be an object/ },
  { name: "a key twice", text: "kind: a\nkind: b\n", want: /^2 kind: is written twice$/ },
  { name: "a key twice in a flow map", text: "{a: {b: 1, b: 2}}", want: /^1 a\.b: is written twice$/ },
  {
    name: "a merge key",
    text: "a: &a {b: 1}\nc:\n  <<: *a\n",
    want: /^3 c\["<<"\]: merge keys are not accepted$/,
  },
  {
    name: "a merge key of YAML 1.1",
    text: "%YAML 1.1\n---\na: {<<: {b: 1}}\n",
    want: /^3 a: has a key that is not a plain value$/,
  },
  {
    name: "__proto__",
    text: "a:\n  __proto__: {polluted: 1}\n",
    want: /^2 a\.__proto__: is a key that is not accepted$/,
  },
  { name: "constructor", text: "constructor: {prototype: {}}\n", want: /^1 constructor: is a key/ },
  { name: "a key that is a map", text: "? {a: 1}\n: b\n", want: /^1 : has a key that is not a plain value$/ },
  { name: "not a number", text: "a: .nan\n", want: /^1 a: is not a value that JSON has$/ },
  { name: "a number beyond all bounds", text: "a: 1e999\n", want: /^1 a: is not a value that JSON has$/ },
  { name: "an unknown tag", text: "a: !!js/function 'x'\n", want: /is not valid YAML: unresolved tag/ },
  { name: "an alias without an anchor", text: "a: *b\n", want: /^1 a: alias \*b has no anchor before it$/ },
  { name: "an alias of itself", text: "a: &a [*a]\n", want: /^1 a\[0\]\[0\]: alias \*a contains itself$/ },
  { name: "more than a mebibyte", text: `# ${"é".repeat(600_000)}`, want: /^0 : is larger than 1024 KiB$/ },
  {
    name: "a depth of half a million",
    text: "[".repeat(500_000),
    want: /^1 : is nested more than 40 levels/,
  },
  { name: "lists ten thousand deep", text: `${"[".repeat(10_000)}${"]".repeat(10_000)}`, want: TOO_DEEP },
  { name: "maps ten thousand deep", text: `${"{a: ".repeat(10_000)}1${"}".repeat(10_000)}`, want: TOO_DEEP },
  { name: "block lists ten thousand deep", text: `${"- ".repeat(10_000)}a`, want: TOO_DEEP },
  { name: "keys of keys ten thousand deep", text: `${"? ".repeat(10_000)}a`, want: TOO_DEEP },
  {
    name: "block maps of which each is deeper",
    text: STAIRS,
    want: /^1\d\d\d : is nested more than 40 levels/,
  },
  {
    name: "a scalar of ten million characters",
    text: `a: ${"b".repeat(10_000_000)}`,
    want: /larger than 1024 KiB/,
  },
  { name: "a key ten thousand times", text: "a: 1\n".repeat(10_000), want: /a: is written twice$/ },
  { name: "a prototype in a list", text: "a: [{prototype: 1}]", want: /^1 a\[0\]\.prototype: is a key/ },
  {
    name: "a depth of a hundred",
    text: `${"{a: ".repeat(100)}1${"}".repeat(100)}`,
    want: /nested more than 40 levels/,
  },
  {
    name: "too many documents",
    text: "---\na: 1\n".repeat(1100),
    want: /2001 : has more than 1000 documents$/,
  },
  {
    name: "too many items",
    text: `kind: List\nitems:\n${"- {}\n".repeat(1100)}`,
    want: /1003 : has more than 1000 documents$/,
  },
  { name: "very many syntax errors", text: "}".repeat(100_000), want: /is not valid YAML/ },
];

for (const { name, text, want } of hostile) {
  test(`refused and told: ${name}`, () => {
    const started = performance.now();
    const { objects } = parse(text);
    const violations = told(text);
    assert.deepEqual(objects, []);
    assert.match(violations.at(-1) ?? "", want);
    assert.ok(performance.now() - started < 10_000);
  });
}

test("what stands before a depth is read, and the depth has its line", () => {
  const text = `${policy("a")}---\n${"[".repeat(10_000)}`;
  assert.equal(parse(text).objects.length, 1);
  assert.deepEqual(told(text), ["6 : is nested more than 40 levels deep"]);
});

test("a billion laughs are refused before they are heard", () => {
  const levels = Array.from({ length: 9 }, (_, index) => {
    const previous = index === 0 ? '"ha"' : `*l${index - 1}`;
    return `l${index}: &l${index} [${Array.from({ length: 10 }, () => previous).join(", ")}]`;
  });
  assert.deepEqual(told(levels.join("\n")), ["1 : has more than 200000 values"]);
});

test("a huge map without a duplicate takes no quadratic time", () => {
  const keys = Array.from({ length: 60_000 }, (_, index) => `k${index}: 1`).join("\n");
  const started = performance.now();
  assert.deepEqual(told(keys), ["1 kind: is required"]);
  assert.ok(performance.now() - started < 10_000);
});
