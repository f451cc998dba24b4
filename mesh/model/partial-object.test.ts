import assert from "node:assert/strict";
import { test } from "node:test";
import { parseDocuments } from "./parse-documents.ts";

const OPTIONS = { defaultNamespace: "default", partial: true };

function rule(subsets: string, more = ""): string {
  return `apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: { name: a }
spec:
  host: reviews
  subsets:
${subsets}${more}`;
}

test("an object in part is there only where it is asked for, and is never among the objects", () => {
  const text = rule("    - { name: v1, trafficPolicy: { loadBalancer: { simple: NONE } } }\n");
  const { objects, partial } = parseDocuments(text, OPTIONS);
  assert.deepEqual([objects.length, partial.length], [0, 1]);
  assert.deepEqual(parseDocuments(text, { defaultNamespace: "default" }).partial, []);
});

test("what has errors is left out of an object in part; paths and lines are those of the text", () => {
  const { partial, places, violations } = parseDocuments(
    rule("    - { name: Bad_1 }\n    - { name: v1 }\n    - 7\n    - { name: v2 }\n"),
    OPTIONS,
  );
  assert.equal(violations.length, 2);
  const [object] = partial;
  assert.ok(object !== undefined && "subsets" in object.spec);
  assert.deepEqual(
    object.spec.subsets.map(({ name }) => name),
    ["v1", "v2"],
  );
  const place = places.get(object);
  assert.deepEqual(
    [0, 1].map((index) => place?.lineOf(["spec", "subsets", index, "name"])),
    [8, 10],
  );
});

test("a rule that what was left out breaks is followed too", () => {
  const text = `apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: a }
spec:
  hosts: [a]
  http:
    - redirect: { uri: /new, redirectCode: many }
    - route: [{ destination: { host: a } }]
`;
  const [object] = parseDocuments(text, OPTIONS).partial;
  assert.ok(object !== undefined && "http" in object.spec);
  assert.deepEqual(
    object.spec.http.map(({ route, redirect }) => [route.length, redirect !== undefined]),
    [
      [0, true],
      [1, false],
    ],
  );
});

test("nothing is said at, in or around what was left out", () => {
  const { partial, places } = parseDocuments(
    rule("    - { name: v1, labels: { version: 7 } }\n    - { name: v2 }\n"),
    OPTIONS,
  );
  const [object] = partial;
  assert.ok(object);
  const isUnread = (...path: (string | number)[]): boolean | undefined =>
    places.get(object)?.isUnread?.(["spec", "subsets", ...path]);
  assert.deepEqual(
    [
      isUnread(0),
      isUnread(0, "labels"),
      isUnread(0, "labels", "version", "x"),
      isUnread(0, "name"),
      isUnread(1),
    ],
    [true, true, true, false, false],
  );
});

for (const [what, text] of [
  ["its identity", rule("    - { name: v1 }\n").replace("name: a", "name: A_1")],
  ["its version", rule("    - { name: v1 }\n").replace("io/v1", "io/v9")],
  ["what it is about", rule("    - { name: v1 }\n").replace("host:", "hots:")],
  ["its kind", "kind: Gatewey\nmetadata: { name: a }\n"],
] as const) {
  test(`an object without ${what} is nothing, not even in part`, () => {
    const { partial, violations } = parseDocuments(text, OPTIONS);
    assert.deepEqual(partial, []);
    assert.notEqual(violations.length, 0);
  });
}
