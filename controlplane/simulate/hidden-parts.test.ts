import assert from "node:assert/strict";
import { test } from "node:test";
import { every, matchStart, not, some, type Truth } from "./hidden-parts.ts";

const TRUTHS: readonly Truth[] = [true, false, undefined];

test("what holds of all values that an unknown may have is known, and nothing else", () => {
  const worlds = (truth: Truth): readonly boolean[] => (truth === undefined ? [true, false] : [truth]);
  const agreed = (results: readonly boolean[]): Truth =>
    results.every((one) => one === results[0]) ? results[0] : undefined;
  for (const a of TRUTHS) {
    for (const b of TRUTHS) {
      const both = worlds(a).flatMap((x) => worlds(b).map((y) => [x, y] as const));
      assert.equal(every([a, b]), agreed(both.map(([x, y]) => x && y)));
      assert.equal(some([a, b]), agreed(both.map(([x, y]) => x || y)));
    }
    assert.equal(not(a), agreed(worlds(a).map((x) => !x)));
  }
  assert.deepEqual([every([]), some([])], [true, false]);
});

const cases: readonly (readonly [matcher: Parameters<typeof matchStart>[0], want: Truth])[] = [
  [{ exact: "/orders/7", ignoreCase: false }, undefined],
  [{ exact: "/orders", ignoreCase: false }, false],
  [{ exact: "/admin", ignoreCase: false }, false],
  [{ prefix: "/", ignoreCase: false }, true],
  [{ prefix: "/orders/", ignoreCase: false }, true],
  [{ prefix: "/ORDERS/", ignoreCase: true }, true],
  [{ prefix: "/ORDERS/", ignoreCase: false }, false],
  [{ prefix: "/orders/7", ignoreCase: false }, undefined],
  [{ prefix: "/admin", ignoreCase: false }, false],
  [{ suffix: "/items", ignoreCase: false }, undefined],
  [{ contains: "orders", ignoreCase: false }, undefined],
  [{ safeRegex: { regex: ".*", googleRe2: undefined }, ignoreCase: false }, undefined],
];
for (const [matcher, want] of cases) {
  test(`of a path that begins with /orders/, ${JSON.stringify(matcher)} is ${want ?? "not known"}`, () => {
    assert.equal(matchStart(matcher, "/orders/"), want);
  });
}
