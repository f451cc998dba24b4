import assert from "node:assert/strict";
import { test } from "node:test";
import { Gate } from "./gate.ts";

test("at most so many are inside at a time, all get in, and a failure frees its place", async () => {
  const gate = new Gate(2);
  let inside = 0;
  let most = 0;
  const outcomes = await Promise.allSettled(
    Array.from({ length: 7 }, (_, index) =>
      gate.run(async () => {
        most = Math.max(most, ++inside);
        await new Promise((resolve) => setImmediate(resolve));
        inside--;
        if (index % 2 === 0) throw new Error("failed");
        return index;
      }),
    ),
  );
  assert.equal(most, 2);
  assert.equal(outcomes.filter(({ status }) => status === "fulfilled").length, 3);
});
