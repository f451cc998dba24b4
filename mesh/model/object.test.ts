import assert from "node:assert/strict";
import { test } from "node:test";
import { objects } from "../../test/fakes/sample-mesh.ts";
import { byPrecedence } from "./object.ts";

/** `namespace/name@creation time` of two objects, the one that comes first before the other. */
const cases: readonly (readonly [rule: string, first: string, second: string])[] = [
  ["the older one, whatever its name and namespace", "z/z@1", "a/a@2"],
  ["of the same age the name decides, whatever the namespace", "z/a@1", "a/b@1"],
  ["of the same age and name the namespace decides", "a/a@1", "b/a@1"],
];
for (const [rule, first, second] of cases) {
  test(`precedence: ${rule}`, () => {
    const [sample] = objects(
      "apiVersion: networking.istio.io/v1\nkind: Sidecar\nmetadata: { name: a }\nspec: { egress: [{ hosts: ['./*'] }] }",
    );
    assert.ok(sample);
    const [one, other] = [first, second].map((text) => {
      const [namespace = "", name = "", createdAt] = text.split(/[/@]/);
      return { ...sample, metadata: { ...sample.metadata, namespace, name }, createdAt: Number(createdAt) };
    });
    assert.ok(one !== undefined && other !== undefined);
    assert.deepEqual([other, one].sort(byPrecedence), [one, other]);
    assert.deepEqual([one, other].sort(byPrecedence), [one, other]);
  });
}
