import assert from "node:assert/strict";
import { test } from "node:test";
import { type EncodedResource, NO_RESOURCES, resourceMap } from "./encoded-resource.ts";
import { NameSet } from "./name-set.ts";
import { diffOf, namedDiffOf, type ResourceDiff } from "./resource-diff.ts";

function resource(name: string, version: string): EncodedResource {
  return { name, version, bytes: new Uint8Array() };
}

function text({ upserts, removals, added }: ResourceDiff): string {
  return [...upserts.map(({ name, version }) => `+${name}@${version}`).sort(), ...removals, added].join(" ");
}

const before = resourceMap([resource("a", "1"), resource("b", "1"), resource("c", "1")]);
const after = before.edited([
  ["a", resource("a", "2")],
  ["b", undefined],
  // Built anew, and equal.
  ["c", resource("c", "1")],
  ["d", resource("d", "1")],
]);

test("a difference has what is new or of another version, and what is gone", () => {
  assert.equal(text(diffOf(before, after)), "+a@2 +d@1 b 1");
  assert.equal(text(diffOf(after, after)), "0");
});

test("streams with the same maps are told the same object", () => {
  assert.equal(diffOf(before, after), diffOf(before, after));
  const names = NameSet.of(["a", "b"]);
  assert.equal(namedDiffOf(before, after, names), namedDiffOf(before, after, NameSet.of(["b", "a"])));
  assert.equal(namedDiffOf(before, after, NameSet.of(["a", "b", "d"])), diffOf(before, after));
});

test("who has nothing is told all of the map, or what it named of it", () => {
  const all = diffOf(NO_RESOURCES, after);
  assert.equal(all.whole, after);
  assert.equal(text(all), "+a@2 +c@1 +d@1 3");
  assert.equal(namedDiffOf(NO_RESOURCES, after, NameSet.of(["a", "c", "d", "unknown"])), all);
  assert.equal(text(namedDiffOf(NO_RESOURCES, after, NameSet.of(["c", "unknown"]))), "+c@1 1");
});

test("who named nothing of what changed is told nothing", () => {
  assert.equal(namedDiffOf(before, after, NameSet.of(["c"])).size, 0);
  const one = before.edited([["a", resource("a", "2")]]);
  assert.equal(namedDiffOf(before, one, NameSet.of(["b", "c"])).size, 0);
  assert.equal(text(namedDiffOf(before, one, NameSet.of(["a", "c"]))), "+a@2 0");
});
