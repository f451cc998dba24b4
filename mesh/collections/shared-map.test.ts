import assert from "node:assert/strict";
import { test } from "node:test";
import { SharedMap } from "./shared-map.ts";

function random(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}

function sorted(map: SharedMap<number>): readonly (readonly [string, number])[] {
  return [...map].sort(([a], [b]) => (a < b ? -1 : 1));
}

test("an edited map has the edits, and the one before is as it was", () => {
  const before = SharedMap.of([
    ["a", 1],
    ["b", 2],
  ]);
  const after = before.edited([
    ["a", undefined],
    ["c", 3],
  ]);
  assert.deepEqual(sorted(before), [
    ["a", 1],
    ["b", 2],
  ]);
  assert.deepEqual(sorted(after), [
    ["b", 2],
    ["c", 3],
  ]);
  assert.equal(after.size, 2);
});

test("an edit that changes nothing gives the same map", () => {
  const map = SharedMap.of([["a", 1]]);
  assert.equal(map.edited([["a", 1]]), map);
  assert.equal(map.edited([["missing", undefined]]), map);
});

test("behaves as a Map under random edits, and tells the difference of any two", () => {
  const next = random(7);
  const versions: { readonly shared: SharedMap<number>; readonly plain: ReadonlyMap<string, number> }[] = [
    { shared: SharedMap.empty(), plain: new Map() },
  ];
  for (let round = 0; round < 300; round++) {
    const last = versions.at(-1);
    assert.ok(last);
    const plain = new Map(last.plain);
    const edits: [string, number | undefined][] = [];
    // Grows to some thousands, then shrinks to nothing, so that the buckets are made anew both ways.
    const grows = round < 150;
    for (let count = 0; count < 40; count++) {
      const key = `service-${Math.floor(next() * 5_000)}`;
      const value = next() < (grows ? 0.9 : 0.02) ? Math.floor(next() * 10) : undefined;
      const keys = grows ? [key] : [key, ...[...plain.keys()].slice(0, 1)];
      for (const one of keys) {
        edits.push([one, value]);
        if (value === undefined) plain.delete(one);
        else plain.set(one, value);
      }
    }
    const shared = last.shared.edited(edits);
    assert.equal(shared.size, plain.size);
    versions.push({ shared, plain });
  }
  for (const { shared, plain } of versions) {
    assert.deepEqual(new Map(shared), plain);
    const other = versions[Math.floor(next() * versions.length)];
    assert.ok(other);
    const { set, removed } = shared.changesSince(other.shared);
    const patched = new Map(other.plain);
    for (const key of removed) assert.ok(patched.delete(key), "only what was there is removed");
    for (const [key, value] of set) {
      assert.notEqual(patched.get(key), value, "only what is different is told");
      patched.set(key, value);
    }
    assert.deepEqual(patched, plain);
  }
});

test("shares what an edit does not touch", () => {
  const map = SharedMap.of(Array.from({ length: 10_000 }, (_, index) => [`host-${index}`, index] as const));
  const after = map.edited([["host-5", -1]]);
  assert.deepEqual(after.changesSince(map), { set: [["host-5", -1]], removed: [] });
});
