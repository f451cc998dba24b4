import assert from "node:assert/strict";
import { test } from "node:test";
import { parseFiles } from "./parse-files.ts";

const options = { defaultNamespace: "default" };

function service(name: string, extra = ""): string {
  return `apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: ${name} }
spec:
  hosts: [${name}]
  http: [{ route: [{ destination: { host: ${name} } }] }]
${extra}`;
}

test("lines are those of each file, however many come before it", () => {
  const { objects, violations } = parseFiles(
    [
      { name: "a.yaml", text: service("a") },
      { name: "b.yaml", text: `---\n${service("b", "  oddity: 1\n")}` },
    ],
    options,
  );
  assert.deepEqual(
    violations.map(({ file, line, path, severity }) => [file, line, path, severity]),
    [["b.yaml", 8, "spec.oddity", "warning"]],
  );
  assert.deepEqual(
    objects.map(({ file, object, place }) => [file, object.metadata.name, place.lineOf(["spec", "hosts"])]),
    [
      ["a.yaml", "a", 5],
      ["b.yaml", "b", 6],
    ],
  );
});

test("a mistake in one file does not reach into the next", () => {
  const broken = "metadata: { name: [\n";
  const { objects, violations } = parseFiles(
    [
      { name: "broken.yaml", text: broken },
      { name: "list.json", text: `[{ "kind": "Nope" }]` },
      { name: "good.yaml", text: service("good") },
    ],
    options,
  );
  assert.deepEqual(
    objects.map(({ file }) => file),
    ["good.yaml"],
  );
  assert.deepEqual([...new Set(violations.map(({ file }) => file))], ["broken.yaml", "list.json"]);
});

test("an object that two files have is an error that names both places", () => {
  const files = [
    { name: "one.yaml", text: `# first\n${service("a")}` },
    { name: "two.yaml", text: service("a") },
  ];
  const { objects, violations } = parseFiles(files, options);
  assert.equal(objects.length, 1);
  assert.deepEqual(
    violations.map(({ file, line, severity, message }) => [file, line, severity, message]),
    [["two.yaml", 3, "error", "VirtualService default/a is defined a second time, first at one.yaml:4"]],
  );
});

test("the same name in another namespace or of another kind is another object", () => {
  const text = service("a");
  const files = [
    { name: "one.yaml", text },
    { name: "two.yaml", text: text.replace("name: a }", "name: a, namespace: shop }") },
  ];
  assert.deepEqual(parseFiles(files, options).violations, []);
});

test("the creation time of an exported object is kept beside it", () => {
  const text = service("a").replace("name: a }", "name: a, creationTimestamp: 2024-05-01T10:00:00Z }");
  const [first] = parseFiles([{ name: "a.yaml", text }], options).objects;
  assert.equal(first?.place.creationTimestamp, "2024-05-01T10:00:00Z");
});
