import assert from "node:assert/strict";
import { test } from "node:test";
import { fnv1a } from "../collections/fnv.ts";
import { NameSet } from "./name-set.ts";

test("equal sets are the same object, whatever way they came about", () => {
  const one = NameSet.of(["a", "b", "c"]);
  assert.equal(NameSet.of(["c", "a", "b", "a"]), one);
  assert.equal(NameSet.of(["a"]).edited(["c", "b"], []), one);
  assert.equal(NameSet.of(["a", "b", "c", "d"]).edited([], ["d"]), one);
  assert.equal(one.edited([], ["a", "b", "c"]), NameSet.empty);
});

test("an edit leaves the set before as it was, and a name that is in both lists stays", () => {
  const before = NameSet.of(["a", "b"]);
  const after = before.edited(["c", "a"], ["a", "b", "unknown"]);
  assert.deepEqual([...before], ["a", "b"]);
  assert.deepEqual([...after].sort(), ["a", "c"]);
  assert.equal(after.size, 2);
  assert.equal(after.has("b"), false);
});

test("sets of equal hashes are told apart by their names", () => {
  const [one, other] = ["76mmiq", "2391dx"];
  assert.equal(fnv1a(one), fnv1a(other), "an example of a collision");
  const [a, b] = [NameSet.of([one]), NameSet.of([other])];
  assert.deepEqual([...a], [one]);
  assert.deepEqual([...b], [other]);
  assert.equal(NameSet.of([one]), a);
});

test("names that are two lines are not taken for two names", () => {
  const odd = NameSet.of(["a\nb"]);
  assert.deepEqual([...NameSet.of(["a", "b"])].sort(), ["a", "b"]);
  assert.deepEqual([...odd], ["a\nb"]);
  assert.deepEqual([...NameSet.of(["a", "b", "c"]).edited(["d\n\na"], [])].length, 4);
  assert.deepEqual([...NameSet.of(["a", "b", "c"]).edited(["d"], ["a"])].length, 3);
});
