import assert from "node:assert/strict";
import { test } from "node:test";
import { SmallSet } from "./small-set.ts";

test("a small set is as a set is, from none to many and back", () => {
  const items = Array.from({ length: 4 }, (_, index) => ({ index }));
  const set = new SmallSet<{ index: number }>();
  const like = new Set<{ index: number }>();
  // Each item comes twice and goes twice, in an order in which the set is empty, has one and has many in between.
  for (const step of [0, 0, 1, 2, 0, 1, 1, 3, 2, 3, 3, 0, 2, 1, 0, 1, 2, 3]) {
    const item = items[step] ?? { index: -1 };
    if (like.delete(item)) set.delete(item);
    else {
      set.add(item);
      set.add(item);
      like.add(item);
    }
    set.delete({ index: step });
    assert.deepEqual(new Set(set), like);
    assert.equal(set.size, like.size);
  }
});
